//! The send stage as the engine runs it: records and rows in, decisions by `decide`, results and calls out.

use crate::broker::record::{CloudEvent, Output, Record, header};
use crate::domain::event::DeadLetterReason;
use crate::domain::id::AccountId;
use crate::domain::outbound::{OutboundSend, SendOutcome, SendResult};
use crate::engine::context::{Context, StateError};
use crate::engine::stage::{Exit, Stage};
use crate::send::call::{Call, Completion};
use crate::send::decide::{Decision, Effect, Input, decide, late};
use crate::send::metrics::Metrics;
use crate::send::row::{Kind, Open, SendRow, Settled, account_key, account_of, part_key};
use crate::send::state::{Account, PartId, Slot};
use crate::topics::Topic;

const SOURCE: &str = "/dmstream/send";

/// The send stage. Reads `outbound.sends`, writes `outbound.results`.
#[derive(Debug)]
pub struct SendStage {
    metrics: Metrics,
}

impl SendStage {
    /// A stage that counts into `metrics`.
    #[must_use]
    pub const fn new(metrics: Metrics) -> Self {
        Self { metrics }
    }

    fn decide_and_do(
        &self,
        account_id: &AccountId,
        input: Input,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        let key = account_key(account_id);
        let account = match context.get(&key)? {
            Some(SendRow(Kind::Account(account))) => account,
            Some(SendRow(Kind::Open(_) | Kind::Settled(_))) | None => Account::default(),
        };
        let settings = context.settings().account_at(account_id, context.now());
        let Decision { account, effects } = decide(&account, input, settings, context.now());
        context.put(&key, SendRow(Kind::Account(account)));
        for effect in effects {
            self.carry_out(account_id, effect, context)?;
        }
        Ok(())
    }

    fn carry_out(
        &self,
        account_id: &AccountId,
        effect: Effect,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        let (Effect::Call { id, .. } | Effect::Settle { id, .. }) = &effect;
        let key = part_key(account_id, *id);
        let Some(SendRow(Kind::Open(open))) = context.get(&key)? else {
            // Rows change together, so this is a defect; the call's deadline settles it.
            tracing::error!(account = %account_id, "a part has a place in its account but no row");
            return Ok(());
        };
        match effect {
            Effect::Call { attempt, tagged, start_by, .. } => {
                context.act(Call { send: open.send, attempt, tagged, start_by });
            }
            Effect::Settle { attempts, outcome, .. } => {
                let settled = open.settle(attempts, &outcome, context.now());
                self.announce(&key, settled, context)?;
            }
        }
        Ok(())
    }

    /// Writes a part's outcome: to its row and to the world.
    fn announce(
        &self,
        key: &[u8],
        settled: Settled,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        self.metrics.settled(&settled.outcome);
        context.emit(to_record(&settled, context)?);
        context.put(key, SendRow(Kind::Settled(settled)));
        Ok(())
    }
}

impl Stage for SendStage {
    type Row = SendRow;
    type Action = Call;
    type Completion = Completion;

    const TIMERS_WAIT: bool = false;

    fn apply(
        &mut self,
        record: &Record,
        context: &mut Context<'_, Self>,
    ) -> Result<Exit, StateError> {
        let Ok(send) = serde_json::from_slice::<OutboundSend>(record.bytes()) else {
            return Ok(Exit::Rejected(DeadLetterReason::BadRecord));
        };
        let account_id = send.thread.account_id.clone();
        let key = part_key(&account_id, PartId::of(&send.send_id));
        if context.get(&key)?.is_some() {
            return Ok(Exit::Skipped("duplicate"));
        }
        let slot = Slot::new(&send, context.now());
        let traceparent = record.headers.text(header::TRACE_PARENT).map(str::to_owned);
        context.put(&key, SendRow(Kind::Open(Open { send, traceparent })));
        self.decide_and_do(&account_id, Input::Requested(slot), context)?;
        Ok(Exit::Emitted)
    }

    fn fire(&mut self, key: &[u8], context: &mut Context<'_, Self>) -> Result<(), StateError> {
        if let Some(account_id) = account_of(key) {
            self.decide_and_do(&account_id, Input::Woken, context)
        } else {
            // The only other timer is a settled part's, whose time to be remembered is over.
            context.delete(key);
            Ok(())
        }
    }

    fn complete(
        &mut self,
        completion: Completion,
        context: &mut Context<'_, Self>,
    ) -> Result<(), StateError> {
        let Completion { account_id, send_id, attempt, answered } = completion;
        let id = PartId::of(&send_id);
        let key = part_key(&account_id, id);
        match context.get(&key)? {
            Some(SendRow(Kind::Open(_))) => {
                let input = Input::Completed { id, attempt, answered };
                self.decide_and_do(&account_id, input, context)
            }
            Some(SendRow(Kind::Settled(settled))) if settled.attempts == attempt => {
                let Some(outcome) = late(&settled.outcome, answered) else { return Ok(()) };
                self.announce(&key, Settled { outcome, ..settled }, context)
            }
            Some(SendRow(Kind::Settled(_) | Kind::Account(_))) | None => Ok(()),
        }
    }
}

fn to_record(settled: &Settled, context: &Context<'_, SendStage>) -> Result<Output, StateError> {
    let result = SendResult {
        outcome: settled.outcome.clone(),
        send_id: settled.send_id.clone(),
        item_id: settled.item_id.clone(),
        thread: settled.thread.clone(),
        conversation_id: settled.conversation_id.clone(),
        attempts: settled.attempts,
        settled_at: context.now(),
    };
    let event = CloudEvent {
        id: &format!("{}.{}", settled.send_id, settled.outcome.name()),
        kind: kind_of(&settled.outcome),
        source: SOURCE,
        time: context.now(),
        traceparent: settled.traceparent.as_deref(),
    };
    Ok(Output::event(Topic::OutboundResults, &settled.thread.key(), &event, &result)?)
}

const fn kind_of(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "send.accepted",
        SendOutcome::Failed { .. } => "send.failed",
        SendOutcome::Unknown => "send.unknown",
    }
}
