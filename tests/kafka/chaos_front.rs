//! What stands before several processes: takes connections and hands each to the next process that is up.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A load balancer; ends with this value.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    behind: Arc<Mutex<Vec<SocketAddr>>>,
    serving: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behind: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&behind)));
        Self { address, behind, serving }
    }

    /// Hands new connections to these.
    pub(crate) fn hand_to(&self, processes: Vec<SocketAddr>) {
        *self.behind.lock().unwrap() = processes;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, behind: Arc<Mutex<Vec<SocketAddr>>>) {
    let turn = Arc::new(AtomicUsize::new(0));
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let (behind, turn) = (Arc::clone(&behind), Arc::clone(&turn));
        tokio::spawn(async move {
            let mut processes = behind.lock().unwrap().clone();
            let first = turn.fetch_add(1, Ordering::Relaxed) % processes.len().max(1);
            processes.rotate_left(first);
            for process in processes {
                if let Ok(mut stream) = TcpStream::connect(process).await {
                    // Either side may be killed at any moment.
                    drop(copy_bidirectional(&mut client, &mut stream).await);
                    return;
                }
            }
        });
    }
}
