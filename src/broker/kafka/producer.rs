//! The producer of the edges: one record, one acknowledgement, no transaction.
//!
//! Promise: `Ok` means all in-sync copies have the record; a full queue or a silent cluster is said in bounded time.

use std::fmt;
use std::future::Future;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::ThreadedProducer;
use tokio::sync::oneshot;

use super::KafkaBroker;
use super::context::Acks;
use super::error::from_kafka;
use super::wire::outgoing;
use crate::broker::Error;
use crate::broker::record::Output;

/// An idempotent producer. Clones share one client.
#[derive(Clone)]
pub struct Producer {
    producer: ThreadedProducer<Acks>,
    broker: KafkaBroker,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("broker", &self.broker).finish_non_exhaustive()
    }
}

impl Producer {
    pub(super) fn open(broker: &KafkaBroker) -> Result<Self, Error> {
        let config = broker.shared.settings.appending();
        let producer = ThreadedProducer::from_config_and_context(&config, Acks)
            .map_err(|error| from_kafka(&error))?;
        Ok(Self { producer, broker: broker.clone() })
    }

    /// Queues `output` now; the future ends when the cluster has it, or after ten seconds without it.
    ///
    /// # Errors
    ///
    /// `QueueFull` at once, `TooLarge`, `Retriable` when the cluster did not confirm in time (it may have it still).
    #[expect(clippy::needless_pass_by_value, reason = "as the embedded broker, which keeps it")]
    pub fn append(
        &self,
        output: Output,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static + use<> {
        let queued = self.queue(&output);
        async move {
            let unanswered = Error::Retriable("the producer was closed".to_owned());
            queued?.await.unwrap_or(Err(unanswered))
        }
    }

    fn queue(&self, output: &Output) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (told, answer) = oneshot::channel();
        let name = self.broker.shared.names.of(output.topic);
        let sent = self.producer.send(outgoing(name, output, Box::new(told)));
        match sent {
            Ok(()) => Ok(answer),
            Err((error, _)) if error.rdkafka_error_code() == Some(Code::MessageSizeTooLarge) => {
                Err(Error::TooLarge { bytes: output.bytes() })
            }
            Err((error, _)) => Err(from_kafka(&error)),
        }
    }
}
