//! Live updates: notices that a view changed, as server-sent events.
//!
//! A notice says what to read again, never what it says now; a listener that lagged is told to reload everything. The
//! stream ends when the desk hangs up; its place is free again however it ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use futures::stream::unfold;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::desk::{Caller, Desk, Error};
use crate::project::Change;

/// Silence after which a comment keeps the connection alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn events(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let place = Arc::clone(&desk.listeners).try_acquire_owned();
    let listener = Listener {
        changes: desk.views.changes(),
        closing: desk.closing.subscribe(),
        caller,
        _place: place.map_err(|_full| Error::TooManyListeners)?,
    };
    let stream = unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Listener {
    changes: Receiver<Change>,
    closing: watch::Receiver<bool>,
    caller: Caller,
    _place: OwnedSemaphorePermit,
}

impl Listener {
    /// The next event for this listener; `None` when there will be none.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let received = tokio::select! {
                biased;
                _ = self.closing.wait_for(|closing| *closing) => return None,
                received = self.changes.recv() => received,
            };
            match received {
                Ok(change) if concerns(&self.caller, &change) => {
                    let event = Event::default().event("change").json_data(&change);
                    return event.ok();
                }
                Ok(_another_companys) => (),
                Err(RecvError::Lagged(_)) => {
                    return Some(Event::default().event("reload").data("{}"));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// An agent hears of its company; of commands, which are nobody's by their notice, only administrators do.
fn concerns(caller: &Caller, change: &Change) -> bool {
    caller.company().is_none_or(|own| Some(own) == change.company_id.as_ref())
}
