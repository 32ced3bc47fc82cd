//! Whose an echo is once threads have parted: a reply sent while they were one is known to the home alone. Pure.
//!
//! | who      | at                                | does                                                          |
//! |----------|-----------------------------------|---------------------------------------------------------------|
//! | source   | an echo of nothing known here     | asks who was its home last                                    |
//! | home     | is, or may be, of its own send    | knows it, settles by it, or holds it until the answer         |
//! | home     | is none of its own                | asks on where it was merged itself, or gives it back          |
//! | source   | the echo comes back               | it was written in the app                                     |

use crate::conversation::pass::HOPS_MAX;
use crate::conversation::turn::Turn;
use crate::domain::event::{Event, EventKind};
use crate::domain::thread::Thread;
use crate::domain::thread_note::ThreadNote;
use crate::engine::stage::Exit;

impl Turn<'_> {
    /// Asks who was this thread's home last, if it is its own again.
    pub(super) fn ask_whose(&mut self, event: &Event) -> bool {
        let ties = &self.state.ties;
        let last_home = ties.last_home.clone().filter(|_| ties.home.is_none());
        let Some(last_home) = last_home.filter(|_| self.world.hops < HOPS_MAX) else {
            return false;
        };
        let from = self.world.thread.clone();
        self.say_whose(event, &last_home, (from, 0));
        true
    }

    /// A thread that parted asks about an echo.
    pub(super) fn whose(&mut self, event: &Event, from: &Thread, hops: u8) {
        let EventKind::MessageEchoed(body) = &event.kind else { return };
        if !self.absorb(event, body, Some(from)) {
            self.not_ours(event, from, hops);
        }
    }

    /// An echo of a thread that parted is of no send of this thread's.
    pub(super) fn not_ours(&mut self, event: &Event, from: &Thread, hops: u8) -> Exit {
        let ties = &self.state.ties;
        let further = ties.home.as_ref().or(ties.last_home.as_ref()).cloned();
        match further.filter(|further| further != from && hops < HOPS_MAX) {
            Some(further) => self.say_whose(event, &further, (from.clone(), hops)),
            None => {
                self.give_back(event, from);
            }
        }
        Exit::Emitted
    }

    fn say_whose(&mut self, event: &Event, to: &Thread, (from, hops): (Thread, u8)) {
        let hops = hops + 1;
        let note = ThreadNote::Echo { event: Box::new(event.clone()), from, hops };
        let id = ["whose", event.event_id.as_str(), &hops.to_string()];
        self.say_to(to, (&id, None), note);
    }
}
