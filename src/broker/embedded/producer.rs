//! Appends that belong to no transaction: webhooks, commands of agents.
//!
//! Promise: resolved means durable; concurrent appends share a sync; beyond the queue's bound they are refused at once.

use std::sync::Arc;

use crate::broker::Error;
use crate::broker::record::Output;

use super::Handle;
use super::shared::{Answer, Request};

/// Appends single records.
#[derive(Debug, Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

impl Producer {
    pub(super) const fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    /// Queues `output` now; resolves when it is durable. Dropping the future does not take it back.
    ///
    /// # Errors
    ///
    /// `QueueFull`, `TooLarge`, `Topics`; `Fatal` when the log was closed; `Storage` when it failed, and then whether
    /// the record was kept is not known.
    pub fn append(
        &self,
        output: Output,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static + use<> {
        let answer = self.submit(output);
        async move {
            let ended = |_| Error::Fatal("the embedded log was closed".to_owned());
            answer?.await.map_err(ended)?
        }
    }

    fn submit(
        &self,
        output: Output,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<(), Error>>, Error> {
        let shared = &self.handle.shared;
        let partition = shared.place(&output)?;
        let (tell, answer) = tokio::sync::oneshot::channel();
        let bytes = output.bytes();
        let outputs = vec![(partition, output)];
        shared.submit(Request { outputs, bytes, seat: None, answer: Answer::Task(tell) })?;
        if !shared.disk.is_durable() {
            // Memory waits for nothing, and has no thread.
            shared.write_waiting();
        }
        Ok(answer)
    }
}
