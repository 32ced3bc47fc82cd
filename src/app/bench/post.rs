//! Posts signed webhooks over kept-alive connections, from a thread of its own, and notes when each was answered.
//!
//! Plain HTTP/1.1 written by hand: the client must cost as little as possible beside the server on the same cores.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::load::Load;
use super::product::APP_SECRET;
use crate::app::Error;
use crate::clock::Stopwatch;
use crate::simulator::signature;

/// What to post, and how fast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) to: SocketAddr,
    pub(super) load: Load,
    pub(super) records: u32,
    pub(super) connections: u32,
    /// Webhooks a second; none: as fast as answers come.
    pub(super) rate: Option<f64>,
}

/// One webhook's fate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// Which webhook.
    pub(super) n: u32,
    /// When it was answered, since the start.
    pub(super) at: Duration,
    /// How long the answer took.
    pub(super) after: Duration,
}

/// Posts all of it; `since` is the clock of the answers.
///
/// # Errors
///
/// When a connection breaks or an answer is not 200.
pub(super) fn run(plan: Plan, since: Stopwatch) -> Result<Vec<Answered>, Error> {
    let requests: Result<Vec<Vec<u8>>, Error> = (0..plan.records)
        .map(|n| plan.load.webhook(n).map(|webhook| request(&webhook.body)))
        .collect();
    let requests = Arc::new(requests?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let next = Arc::new(AtomicU32::new(0));
        let began = since.elapsed();
        let clients: Vec<_> = (0..plan.connections)
            .map(|_| {
                tokio::spawn(client(plan, (since, began), Arc::clone(&requests), Arc::clone(&next)))
            })
            .collect();
        let mut answered = Vec::with_capacity(requests.len());
        for client in clients {
            let told = client.await.map_err(|error| Error::Failed(error.to_string()))??;
            answered.extend(told);
        }
        Ok(answered)
    })
}

async fn client(
    plan: Plan,
    (since, began): (Stopwatch, Duration),
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicU32>,
) -> Result<Vec<Answered>, Error> {
    let mut stream = TcpStream::connect(plan.to).await?;
    stream.set_nodelay(true)?;
    let mut answered = Vec::new();
    let mut answer = vec![0_u8; 4096];
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = usize::try_from(n).ok().and_then(|n| requests.get(n)) else {
            return Ok(answered);
        };
        if let Some(rate) = plan.rate {
            let due = began + Duration::from_secs_f64(f64::from(n) / rate.max(0.001));
            tokio::time::sleep(due.saturating_sub(since.elapsed())).await;
        }
        let sent = since.elapsed();
        stream.write_all(request).await?;
        one_answer(&mut stream, &mut answer).await?;
        let at = since.elapsed();
        answered.push(Answered { n, at, after: at.saturating_sub(sent) });
    }
}

/// Reads an answer without a body; it must be 200.
async fn one_answer(stream: &mut TcpStream, into: &mut [u8]) -> Result<(), Error> {
    let mut have = 0;
    loop {
        let room = into.get_mut(have..).unwrap_or_default();
        let read = stream.read(room).await?;
        have += read;
        let text = into.get(..have).unwrap_or_default();
        if text.ends_with(b"\r\n\r\n") {
            return match text.starts_with(b"HTTP/1.1 200") {
                true => Ok(()),
                false => Err(Error::Failed("a webhook was not answered 200".to_owned())),
            };
        }
        if read == 0 {
            return Err(Error::Failed("the server hung up".to_owned()));
        }
    }
}

fn request(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /webhooks/instagram HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nx-hub-signature-256: {}\r\n\r\n",
        body.len(),
        signature(APP_SECRET, body),
    );
    [head.as_bytes(), body].concat()
}
