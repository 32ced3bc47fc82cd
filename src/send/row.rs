//! The rows of the send stage, as they stand on disk and in the changelog. Pure.
//!
//! | kind    | key                                        | value                                   | until           |
//! |---------|--------------------------------------------|-----------------------------------------|-----------------|
//! | Account | `A`, account                               | [`Account`]                             | for ever        |
//! | Part    | `P`, account, zero byte, 128 bits of send id | the request; once settled, its outcome | [`MEMORY_MS`] after |
//!
//! Values are postcard behind one byte of version. A request stands in its row as the JSON it came as: its type is a
//! public record's, which postcard cannot read back.

use serde::{Deserialize, Serialize};

use crate::domain::id::{AccountId, ConversationId, ItemId, SendId};
use crate::domain::outbound::{OutboundSend, SendOutcome};
use crate::domain::thread::Thread;
use crate::domain::time::Timestamp;
use crate::engine::stage::{Row, RowError};
use crate::send::state::{Account, MEMORY_MS, PartId};

const VERSION: u8 = 1;
const ACCOUNT: u8 = b'A';
const PART: u8 = b'P';

/// A row of the send stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRow(pub(super) Kind);

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// One account's state.
    Account(Account),
    /// A part not settled.
    Open(Open),
    /// A part settled.
    Settled(Settled),
}

/// A part not settled: what is needed to call and to answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    #[serde(with = "as_json")]
    pub(super) send: OutboundSend,
    /// The trace it came with.
    pub(super) traceparent: Option<String>,
}

/// A part settled: what is needed to recognise it, and to say more about it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settled {
    pub(super) send_id: SendId,
    pub(super) item_id: ItemId,
    pub(super) thread: Thread,
    pub(super) conversation_id: ConversationId,
    pub(super) attempts: u32,
    #[serde(with = "as_json")]
    pub(super) outcome: SendOutcome,
    pub(super) forget_at: Timestamp,
    pub(super) traceparent: Option<String>,
}

impl Open {
    /// The same part, settled.
    pub(super) fn settle(&self, attempts: u32, outcome: &SendOutcome, now: Timestamp) -> Settled {
        let send = &self.send;
        Settled {
            send_id: send.send_id.clone(),
            item_id: send.item_id.clone(),
            thread: send.thread.clone(),
            conversation_id: send.conversation_id.clone(),
            attempts,
            outcome: outcome.clone(),
            forget_at: now.max(send.requested_at).plus_ms(MEMORY_MS),
            traceparent: self.traceparent.clone(),
        }
    }
}

/// The key of an account's row.
pub(super) fn account_key(account: &AccountId) -> Vec<u8> {
    [&[ACCOUNT], account.as_str().as_bytes()].concat()
}

/// The key of a part's row.
pub(super) fn part_key(account: &AccountId, id: PartId) -> Vec<u8> {
    [&[PART], account.as_str().as_bytes(), &[0], &id.0.to_be_bytes()].concat()
}

/// The account whose row stands under `key`; `None` for other rows.
pub(super) fn account_of(key: &[u8]) -> Option<AccountId> {
    let (kind, account) = key.split_first()?;
    let account = std::str::from_utf8(account).ok()?;
    AccountId::parse(account).ok().filter(|_| *kind == ACCOUNT)
}

impl Row for SendRow {
    fn encode(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        // A vector takes every byte and our types serialize: were it otherwise, the row would not read back.
        if let Ok(bytes) = postcard::to_stdvec(&self.0) {
            into.extend_from_slice(&bytes);
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, RowError> {
        match bytes.split_first() {
            None => Err(RowError::Malformed("no bytes".to_owned())),
            Some((&VERSION, rest)) => {
                let kind = postcard::from_bytes(rest);
                kind.map(Self).map_err(|error| RowError::Malformed(error.to_string()))
            }
            Some((&version, _)) => Err(RowError::UnknownVersion(version)),
        }
    }

    fn due_at(&self) -> Option<Timestamp> {
        match &self.0 {
            Kind::Account(account) => account.wake_at,
            Kind::Open(_) => None,
            Kind::Settled(settled) => Some(settled.forget_at),
        }
    }
}

/// A public record's type as the JSON text of itself.
mod as_json {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(value).map_err(S::Error::custom)?)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::send::state::{Phase, Slot, ThreadDigest};

    /// As it comes in.
    const SEND: &str = r#"{"type":"images","urls":["https://a/1.png"],"send_id":"it-1.1","item_id":"it-1","account_id":"1784","person_id":"9","conversation_id":"cv-1","requested_at":100,"expires_at":200,"tag_from_at":150}"#;

    #[test]
    fn rows_read_back_and_old_bytes_are_read_for_ever() {
        // Written by version 1; a change of these bytes is a new version, and this one stays readable.
        check(
            &SendRow(Kind::Account(account())),
            "01000205090701010b0102010200640008c801009601030200640008c801010a01e807",
        );
        let mut open_bytes = vec![1, 1, 0xc3, 1];
        open_bytes.extend_from_slice(SEND.as_bytes());
        open_bytes.extend_from_slice(b"\x01\x01t");
        let open = Open { send: send(), traceparent: Some("t".to_owned()) };
        assert_eq!(SendRow::decode(&open_bytes), Ok(SendRow(Kind::Open(open.clone()))));
        round_trip(&SendRow(Kind::Open(open.clone())));
        let settled = open.settle(2, &SendOutcome::Unknown, Timestamp::from_ms(50));
        assert_eq!(settled.forget_at, Timestamp::from_ms(100).plus_ms(MEMORY_MS));
        round_trip(&SendRow(Kind::Settled(settled)));

        #[track_caller]
        fn check(row: &SendRow, golden: &str) {
            let mut bytes = Vec::new();
            row.encode(&mut bytes);
            assert_eq!(hex::encode(&bytes), golden);
            round_trip(row);
        }

        #[track_caller]
        fn round_trip(row: &SendRow) {
            let mut bytes = Vec::new();
            row.encode(&mut bytes);
            assert_eq!(SendRow::decode(&bytes).as_ref(), Ok(row));
        }
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        assert_eq!(SendRow::decode(&[9, 0]), Err(RowError::UnknownVersion(9)));
        assert!(matches!(SendRow::decode(&[]), Err(RowError::Malformed(_))));
        assert!(matches!(SendRow::decode(&[VERSION, 0xff]), Err(RowError::Malformed(_))));
        assert!(matches!(SendRow::decode(&[VERSION]), Err(RowError::Malformed(_))));
    }

    #[test]
    fn a_key_says_whose_it_is() {
        let account = AccountId::parse("1784").unwrap();
        assert_eq!(account_key(&account), b"A1784");
        assert_eq!(account_of(b"A1784"), Some(account.clone()));
        let part = part_key(&account, PartId(1));
        assert_eq!(part, b"P1784\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        assert_eq!(account_of(&part), None);
        assert_eq!(account_of(b""), None);
    }

    fn account() -> Account {
        let at = Timestamp::from_ms;
        let slot = |id, phase| Slot {
            id: PartId(id),
            thread: ThreadDigest(2),
            automatic: false,
            queued_at: at(100),
            expires_at: at(0),
            tag_from_at: at(8),
            attempts: 200,
            phase,
        };
        Account {
            sent: vec![at(5), at(9)],
            paused_until: at(7),
            pauses: 1,
            down_since: Some(at(11)),
            tagged_not_before: at(1),
            slots: vec![
                slot(1, Phase::Waiting { not_before: at(150) }),
                slot(3, Phase::Calling { started_at: at(10) }),
            ],
            wake_at: Some(at(1000)),
        }
    }

    fn send() -> OutboundSend {
        serde_json::from_str(SEND).unwrap()
    }
}
