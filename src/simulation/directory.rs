//! The platform's profiles as the product asks for them: refused, away, answered too late; and what must come of them.
//!
//! Held beside the fold: two questions for a person lie a minute apart, whoever asks; what is told was answered to
//! that question, is newer than what was told before, and was not asked for before the person was erased.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use crate::broker::record::Output;
use crate::clock::Clock;
use crate::domain::customer::{CustomerKey, CustomerRecord, Profile};
use crate::domain::thread::Thread;
use crate::domain::time::{MINUTE_MS, Timestamp};
use crate::profile::{Call, Caller, Completion, Error};
use crate::topics::Topic;

use super::fault::Fault;
use super::planted::Planted;
use super::tape::held;
use super::universe::Universe;

/// Between two questions for a person. Source: desk rule R-147.
const APART_MS: u64 = MINUTE_MS;

/// The platform's profiles.
#[derive(Default)]
pub(super) struct Directory {
    questions: Questions,
    asked: BTreeMap<Thread, BTreeSet<Timestamp>>,
    given: BTreeMap<(Thread, Timestamp), Profile>,
    /// Since when each record of a profile, or its tombstone, counts.
    told: BTreeMap<Vec<u8>, Timestamp>,
    numbered: u64,
}

/// Questions that processes ask.
#[derive(Clone, Default)]
pub(super) struct Questions(Arc<Mutex<Vec<Asking>>>);

/// A question under way.
struct Asking {
    process: u64,
    clock: Clock,
    lane: u32,
    call: Call,
    answer: Sender<(u32, Completion)>,
    /// When it began, and what comes of it.
    began: Option<(Timestamp, Result<Profile, Error>)>,
}

impl Questions {
    /// A process asks.
    pub(super) fn put(
        &self,
        (process, clock): (u64, Clock),
        (lane, call, answer): (u32, Call, Sender<(u32, Completion)>),
    ) {
        held(&self.0).push(Asking { process, clock, lane, call, answer, began: None });
    }

    pub(super) fn len(&self) -> usize {
        held(&self.0).len()
    }
}

impl Directory {
    pub(super) fn questions(&self) -> Questions {
        self.questions.clone()
    }

    /// A process is gone, and its questions with it.
    pub(super) fn caller_is_gone(&self, process: u64) {
        held(&self.questions.0).retain(|asking| asking.process != process);
    }

    /// Notes a question; whether one is too near to it.
    fn is_too_soon(&mut self, call: &Call) -> bool {
        let asked = self.asked.entry(call.thread.clone()).or_default();
        let near = call.asked_at.minus_ms(APART_MS - 1)..call.asked_at.plus_ms(APART_MS);
        let too_soon = asked.range(near).next().is_some();
        asked.insert(call.asked_at);
        too_soon
    }

    /// Looks at a committed record of the customers' topic.
    pub(super) fn look(&mut self, output: &Output) -> Result<(), String> {
        let key = std::str::from_utf8(&output.key).ok().and_then(CustomerKey::parse);
        let Some(CustomerKey::Profile(id)) = key else { return Ok(()) };
        let Some(value) = &output.value else {
            let since = self.told.entry(output.key.clone()).or_default();
            *since = output.timestamp.max(*since);
            return Ok(());
        };
        let record: CustomerRecord =
            serde_json::from_slice(value).map_err(|error| error.to_string())?;
        let CustomerRecord::Profile(told) = record else {
            return Err(format!("{id}: not a profile under a profile's key"));
        };
        if self.given.get(&(told.thread.clone(), told.fetched_at)) != Some(&told.profile) {
            return Err(format!("{id}: what is told was not answered at {:?}", told.fetched_at));
        }
        let before = self.told.insert(output.key.clone(), told.fetched_at);
        if before >= Some(told.fetched_at) {
            return Err(format!(
                "{id}: a profile of {:?} is told after one of {before:?}, or after they were erased",
                told.fetched_at
            ));
        }
        Ok(())
    }

    /// The next profile of a person: each time another one.
    fn profile(&mut self, thread: &Thread) -> Profile {
        self.numbered += 1;
        let name = Some(format!("{} the {}th", thread.person_id.as_str(), self.numbered));
        Profile { name, ..Profile::default() }
    }
}

impl Universe {
    /// A question for a profile begins, or is answered.
    pub(super) fn inform(&self) {
        let mut directory = self.directory.borrow_mut();
        let questions = directory.questions();
        let mut under_way = held(&questions.0);
        let at = usize::try_from(self.roll(under_way.len() as u64)).unwrap_or(0);
        if at >= under_way.len() {
            return;
        }
        let mut asking = under_way.swap_remove(at);
        if let Some((began_at, answered)) = asking.began.take() {
            self.tell(asking, began_at, answered);
            return;
        }
        if directory.is_too_soon(&asking.call) {
            let (thread, at) = (asking.call.thread.key(), asking.call.asked_at);
            self.find(format!("{thread} is asked for at {at:?}, within a minute of another time"));
        }
        let answered = self.look_up(&mut directory, &asking);
        asking.began = Some((self.now(), answered));
        under_way.push(asking);
    }

    fn look_up(&self, directory: &mut Directory, asking: &Asking) -> Result<Profile, Error> {
        let Call { thread, asked_at, start_by } = &asking.call;
        if *start_by < asking.clock.now() {
            return Err(Error::NotAsked);
        }
        if self.by_bad_luck(100) {
            self.count(Fault::ProfileRefused);
            let code = None;
            return Err(if self.roll(2) == 0 {
                Error::Refused { code }
            } else {
                Error::Temporary { code }
            });
        }
        if self.by_bad_luck(100) {
            self.count(Fault::ProfileLost);
            return Err(Error::NoAnswer);
        }
        let profile = directory.profile(thread);
        directory.given.insert((thread.clone(), *asked_at), profile.clone());
        if self.planted == Some(Planted::ProfilesMixedUp) && self.roll(4) == 0 {
            return Ok(directory.profile(thread));
        }
        Ok(profile)
    }

    fn tell(&self, asking: Asking, began_at: Timestamp, answered: Result<Profile, Error>) {
        let too_late = self.now().since_ms(began_at) > Caller::CALL_MS_MAX;
        let answered = match answered {
            Ok(_) if too_late => {
                self.count(Fault::ProfileSlow);
                Err(Error::NoAnswer)
            }
            answered => answered,
        };
        let Call { thread, asked_at, .. } = asking.call;
        let completion = Completion { thread, asked_at, answered };
        // A worker that has ended hears nothing.
        drop(asking.answer.send((asking.lane, completion)));
    }

    /// Nobody is asked for.
    pub(super) fn nobody_is_asked_for(&self) -> bool {
        self.directory.borrow().questions.len() == 0
    }

    /// What everybody reads about people must be what the platform said.
    pub(super) fn hear_of_people(&self, output: &Output) {
        if output.topic == Topic::Customers
            && let Err(what) = self.directory.borrow_mut().look(output)
        {
            self.find(what);
        }
    }
}
