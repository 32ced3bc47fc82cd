//! One thread's rules: what an event, a command, a routing decision, a send's outcome or the time does to it.
//!
//! Promise: the same inputs give the same facts, whatever the speed of processing; nothing applied twice; the same
//! platform events in any order end in the same items, reply window and clock.
//!
//! | file        | decides                                                                 |
//! |-------------|-------------------------------------------------------------------------|
//! | `decide`    | the one total function: earlier timers, the input, timers it made due   |
//! | `item`      | what the person wrote                                    |
//! | `echo`      | what the business wrote elsewhere                        |
//! | `change`    | deletes, edits, reactions, reads           |
//! | `early`     | the same, when they come before their message                           |
//! | `wish`      | commands that send nothing                         |
//! | `reply`     | Send, and its texts and links            |
//! | `like`      | hearts of agents                                         |
//! | `transfer`  | a conversation moves to another inbox                           |
//! | `noted`     | what agents note of a customer                           |
//! | `outcome`   | what became of a send                                     |
//! | `routing`   | what routing decided                                      |
//! | `life_cycle`| conversations and contacts begin and end                 |
//! | `merge`     | two threads become one customer                        |
//! | `part`      | threads that were one part again                         |
//! | `pass`      | what a merged thread passes on to its home               |
//! | `whose`     | whose an echo is once threads have parted                 |
//! | `erase`     | a person's content leaves                                       |
//! | `sla`       | the due date                                             |
//! | `window`    | reply window and stories                   |
//!
//! Not here: who gets a conversation (`route`), calling Instagram (`send`), names and what else is known of a person (`profile`).

pub mod state;
pub mod ledger;
pub mod seen;
pub mod row;
mod row_old;
pub mod error;
pub mod turn;
pub mod decide;
pub mod invariant;
mod tie;
pub mod edge;
mod timer;
mod item;
mod echo;
mod change;
mod early;
mod wish;
mod reply;
mod compose;
mod like;
mod transfer;
mod noted;
mod outcome;
mod routing;
mod life_cycle;
mod merge;
mod packed;
mod part;
mod pass;
mod whose;
mod erase;
mod sla;
mod window;
mod snapshot;
mod written;

pub use decide::{Decision, Effect, Input, decide};
pub use edge::ConversationStage;
pub use error::Error;
pub use snapshot::snapshot;
pub use state::ThreadState;

#[cfg(test)]
mod rehearsed;
#[cfg(test)]
mod threads_rehearsed;
#[cfg(test)]
mod rules_test;
#[cfg(test)]
mod change_test;
#[cfg(test)]
mod reply_test;
#[cfg(test)]
mod echo_test;
#[cfg(test)]
mod property_test;
#[cfg(test)]
mod merge_test;
#[cfg(test)]
mod part_test;
#[cfg(test)]
mod chain_test;
#[cfg(test)]
mod whose_test;
#[cfg(test)]
mod erase_test;
#[cfg(test)]
mod people_test;
#[cfg(test)]
mod story_test;
#[cfg(test)]
mod transfer_test;
#[cfg(test)]
mod settings_test;
#[cfg(test)]
mod noted_test;
#[cfg(test)]
mod clock_test;
#[cfg(test)]
mod report_test;
#[cfg(test)]
mod order_test;
#[cfg(test)]
mod permutation_test;
#[cfg(test)]
mod row_test;
