//! Kafka's errors in our words: the one place that decides which of the three classes an error is in.
//!
//! Texts are librdkafka's names of codes; never keys, values or offsets of records.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::broker::Error;

/// What `error` means for whoever called.
pub(super) fn from_kafka(error: &KafkaError) -> Error {
    let text = error.to_string();
    if let KafkaError::Transaction(cause) = error {
        return if cause.is_fatal() || is_outside(cause.code()) {
            Error::Fatal(text)
        } else if cause.txn_requires_abort() {
            Error::Abortable(text)
        } else if cause.is_retriable() {
            Error::Retriable(text)
        } else {
            // As librdkafka's introduction demands: anything else is fatal.
            Error::Fatal(text)
        };
    }
    if matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)) {
        return Error::Settings(text);
    }
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Error::Fatal(text);
    }
    error.rdkafka_error_code().map_or(Error::Fatal(text), from_code)
}

/// Passing trouble is logged; librdkafka goes on by itself.
pub(super) fn pass_over(error: &KafkaError) -> Result<(), Error> {
    match from_kafka(error) {
        Error::Retriable(_) | Error::Abortable(_) | Error::QueueFull => {
            tracing::warn!(kafka.error = %error, "a Kafka consumer reports passing trouble");
            Ok(())
        }
        lasting @ (Error::Fatal(_)
        | Error::TooLarge { .. }
        | Error::Topics(_)
        | Error::Settings(_)
        | Error::Storage(_)) => Err(lasting),
    }
}

/// What a bare code means.
///
/// A code we do not know is fatal: a new client that starts from what is committed is right in any case.
pub(super) fn from_code(code: Code) -> Error {
    let text = code.to_string();
    if code == Code::QueueFull {
        Error::QueueFull
    } else if is_outside(code) {
        Error::Fatal(text)
    } else if matches!(code, Code::UnknownTopic | Code::UnknownTopicOrPartition) {
        Error::Topics(text)
    } else if is_abortable(code) {
        Error::Abortable(text)
    } else if is_passing(code) {
        Error::Retriable(text)
    } else {
        Error::Fatal(text)
    }
}

/// The group went on without this member, and its lanes have other owners.
///
/// The transaction alone could be aborted, but librdkafka may rejoin with lanes it believes to own still (a missed
/// `max.poll.interval.ms` while a revoke waits for its answer is not marked as lost). A new member owns nothing.
const fn is_outside(code: Code) -> bool {
    matches!(code, Code::UnknownMemberId | Code::FencedInstanceId | Code::PollExceeded)
}

/// The transaction, not the client, is spoilt. An illegal generation is one: the group took its next step between our
/// question for it and our commit; the member is in the group still, and its lanes are its own until it gives them up.
const fn is_abortable(code: Code) -> bool {
    matches!(
        code,
        Code::RebalanceInProgress
            | Code::IllegalGeneration
            | Code::State
            | Code::PurgeQueue
            | Code::PurgeInflight
            | Code::MessageTimedOut
            | Code::MessageSizeTooLarge
            | Code::InvalidRecord
            | Code::NotEnoughReplicasAfterAppend
    )
}

/// The network's or the cluster's weather.
const fn is_passing(code: Code) -> bool {
    matches!(
        code,
        // Of a topic made a moment ago: the client's picture of the cluster is older than the topic.
        Code::UnknownPartition
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::WaitingForCoordinator
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::NotEnoughReplicas
            | Code::NetworkException
            | Code::ConcurrentTransactions
            | Code::UnstableOffsetCommit
            | Code::InProgress
            | Code::PreviousInProgress
            | Code::Retry
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Remedy;

    #[test]
    fn every_code_has_one_written_answer() {
        check(Code::IllegalGeneration, Remedy::Abort);
        check(Code::UnknownMemberId, Remedy::Rebuild);
        check(Code::PollExceeded, Remedy::Rebuild);
        check(Code::RebalanceInProgress, Remedy::Abort);
        check(Code::MessageTimedOut, Remedy::Abort);
        check(Code::QueueFull, Remedy::Abort);
        check(Code::AllBrokersDown, Remedy::Retry);
        check(Code::UnstableOffsetCommit, Remedy::Retry);
        check(Code::UnknownTopicOrPartition, Remedy::Stop);
        check(Code::Fatal, Remedy::Rebuild);
        check(Code::FencedInstanceId, Remedy::Rebuild);
        check(Code::TopicAuthorizationFailed, Remedy::Rebuild);

        #[track_caller]
        fn check(code: Code, remedy: Remedy) {
            assert_eq!(from_code(code).remedy(), remedy, "{code:?}");
            assert_eq!(from_kafka(&KafkaError::MessageProduction(code)).remedy(), remedy);
        }
    }

    #[test]
    fn a_fatal_consumer_is_rebuilt_whatever_its_code() {
        let error = KafkaError::MessageConsumptionFatal(Code::OperationTimedOut);
        assert_eq!(from_kafka(&error).remedy(), Remedy::Rebuild);
    }
}
