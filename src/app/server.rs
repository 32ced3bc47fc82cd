//! Serves HTTP/1 and HTTP/2 on one listener, bounded: connections at once, time for a request's head, time to drain.
//!
//! Promise: a client that dawdles costs one place for a bounded time, and never the program's end.

use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Connections at once; one more waits in the system's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// From a connection's first byte to the end of a request's head.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long requests under way may take once the end is called.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// Pause after the system refused a connection, for want of descriptors for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stopped`; then takes no more connections and lets requests under way end.
pub(super) fn serve(
    listener: TcpListener,
    router: Router,
    stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(run(listener, router, stopped))
}

async fn run(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => {
                let served = connection(stream, router.clone(), &connections);
                drop(tokio::spawn(async move {
                    served.await;
                    drop(place);
                }));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the time to drain was up");
    }
}

fn connection(
    stream: TcpStream,
    router: Router,
    connections: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + 'static {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no delay could not be set");
    }
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router);
    let served = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let served = connections.watch(served);
    async move {
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
