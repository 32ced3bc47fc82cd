//! A second book, kept from what routing says alone: it knows no rule but those of book-keeping.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::domain::id::{AgentId, ConversationId, OfferId};
use crate::domain::routing::{AgentSnapshot, RejectReason, RoutingDecision, RoutingVerdict};
use crate::domain::time::Timestamp;
use crate::route::decide::Effect;
use crate::route::row::Place;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Queued,
    Out { to: AgentId, offer: OfferId, expires_at: Timestamp },
    Held { by: AgentId },
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<ConversationId, Entry>,
    shown: BTreeMap<AgentId, AgentSnapshot>,
    /// Agents granted a slot by Next and not offered anything since.
    pub(super) granted: BTreeSet<AgentId>,
    numbers: BTreeSet<u64>,
}

impl Ledger {
    pub(super) fn is_out(&self, id: &ConversationId) -> bool {
        matches!(self.entries.get(id), Some(Entry::Out { .. }))
    }

    pub(super) fn strike(&mut self, id: &ConversationId) {
        self.entries.remove(id);
    }

    /// Books what one step said, then compares the books.
    pub(super) fn book(&mut self, world: &World, gone: Option<&ConversationId>) {
        for effects in &world.answers {
            self.answer(world, effects);
        }
        if let Some(gone) = gone {
            self.strike(gone);
        }
        self.compare(world);
    }

    fn answer(&mut self, world: &World, effects: &[Effect]) {
        let mut shown = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Decision { decision, .. } => {
                    assert!(shown.is_empty(), "agents come last");
                    self.decision(world, decision);
                }
                Effect::Agent { snapshot, .. } => {
                    let agent = snapshot.agent_id.clone();
                    assert!(shown.insert(agent.clone()), "one snapshot an agent and input");
                    self.shown.insert(agent, snapshot.clone());
                }
                Effect::Result(_) => (),
            }
        }
    }

    fn decision(&mut self, world: &World, decision: &RoutingDecision) {
        assert!(self.numbers.insert(decision.number), "numbers never repeat");
        let id = &decision.conversation_id;
        let entry = self.entries.get(id).cloned();
        let next = match &decision.verdict {
            RoutingVerdict::Queued { .. } => {
                assert!(!matches!(entry, Some(Entry::Out { .. } | Entry::Held { .. })));
                Entry::Queued
            }
            RoutingVerdict::Offered { offer_id, agent_id, expires_at, .. } => {
                assert_eq!(entry, Some(Entry::Queued), "only what waits is offered");
                self.check_capacity(world, agent_id);
                let (to, offer) = (agent_id.clone(), offer_id.clone());
                Entry::Out { to, offer, expires_at: *expires_at }
            }
            RoutingVerdict::Accepted { offer_id, agent_id } => {
                let expires_at = self.standing(id, agent_id, offer_id);
                assert!(decision.decided_at <= expires_at, "in time");
                Entry::Held { by: agent_id.clone() }
            }
            RoutingVerdict::Rejected { offer_id, agent_id, reason } => {
                let expires_at = self.standing(id, agent_id, offer_id);
                let is_late = decision.decided_at > expires_at;
                assert_eq!(is_late, *reason == RejectReason::Missed);
                Entry::Queued
            }
            RoutingVerdict::Rescinded { offer_id, agent_id, .. } => {
                self.standing(id, agent_id, offer_id);
                Entry::Queued
            }
            RoutingVerdict::Assigned { agent_id, .. } => {
                assert!(!self.is_out(id), "an offer is taken back first");
                Entry::Held { by: agent_id.clone() }
            }
            RoutingVerdict::Unassigned { agent_id, .. } => {
                assert_eq!(entry, Some(Entry::Held { by: agent_id.clone() }));
                Entry::Queued
            }
        };
        self.entries.insert(id.clone(), next);
    }

    fn standing(&self, id: &ConversationId, agent: &AgentId, offer: &OfferId) -> Timestamp {
        match self.entries.get(id) {
            Some(Entry::Out { to, offer: standing, expires_at }) => {
                assert_eq!((to, standing), (agent, offer), "the offer that stands");
                *expires_at
            }
            other => panic!("no offer stands: {other:?}"),
        }
    }

    fn check_capacity(&mut self, world: &World, agent: &AgentId) {
        let (held, offers) = self.load(agent);
        assert_eq!(offers, 0, "one offer an agent");
        let wide = |slots: u32| usize::try_from(slots).unwrap();
        assert!(held < wide(world.settings.maximum_capacity), "below the maximum");
        let granted = self.granted.remove(agent);
        assert!(held < wide(world.settings.standard_capacity) || granted, "standard, or by Next");
    }

    fn load(&self, agent: &AgentId) -> (usize, usize) {
        let held = self.entries.values().filter(|e| matches!(e, Entry::Held { by } if by == agent));
        let out =
            self.entries.values().filter(|e| matches!(e, Entry::Out { to, .. } if to == agent));
        (held.count(), out.count())
    }

    fn compare(&self, world: &World) {
        let kept = world.pool.conversations.iter().map(|(id, row)| {
            let entry = match &row.place {
                Place::Queued => Entry::Queued,
                Place::Outstanding { to, number, expires_at } => {
                    let offer = world.pool.offer_id(*number);
                    Entry::Out { to: to.clone(), offer, expires_at: *expires_at }
                }
                Place::Held { by, .. } => Entry::Held { by: by.clone() },
            };
            (id.clone(), entry)
        });
        assert_eq!(self.entries, kept.collect(), "what was said is what is kept");
        for id in world.pool.agents.keys() {
            let now = self.shown.get(id).expect("every agent was shown").as_of_at;
            let snapshot = world.pool.snapshot(id, &world.settings, now);
            assert_eq!(snapshot.as_ref(), self.shown.get(id), "the last snapshot is true");
        }
    }
}
