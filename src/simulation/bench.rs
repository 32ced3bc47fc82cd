//! The bench: one judge a stage.

use std::cell::RefCell;
use std::rc::Rc;

use crate::conversation::{self, ConversationStage};
use crate::engine::stage::Stage;
use crate::normalize::Accounts;
use crate::normalize::edge::NormalizeStage;
use crate::profile::ProfileStage;
use crate::route::edge::RouteStage;
use crate::send::SendStage;
use crate::topics::Topic;

use super::Parts;
use super::judge::Judge;

/// A judge that a worker reports to.
pub(super) type SharedJudge<S> = Rc<RefCell<Judge<S>>>;

/// Every stage's judge.
pub(super) struct Bench {
    pub(super) normalize: SharedJudge<NormalizeStage>,
    pub(super) conversation: SharedJudge<ConversationStage>,
    pub(super) route: SharedJudge<RouteStage>,
    pub(super) send: SharedJudge<SendStage>,
    pub(super) profile: SharedJudge<ProfileStage>,
}

impl Bench {
    pub(super) fn new(parts: &Parts) -> Self {
        let accounts = Accounts::of([]);
        Self {
            normalize: judge(NormalizeStage::new(accounts), None, |_| None),
            conversation: judge(ConversationStage, Some(Topic::ConversationChangelog), |state| {
                conversation::invariant::broken(state).map(str::to_owned)
            }),
            route: judge(RouteStage::new(), Some(Topic::RouteChangelog), |_| None),
            send: judge(SendStage::new(parts.sends.clone()), Some(Topic::SendChangelog), |_| None),
            profile: judge(ProfileStage, Some(Topic::ProfileChangelog), |_| None),
        }
    }
}

fn judge<S: Stage>(
    stage: S,
    changelog: Option<Topic>,
    look: fn(&S::Row) -> Option<String>,
) -> SharedJudge<S> {
    Rc::new(RefCell::new(Judge::new(stage, changelog, look)))
}
