//! The end-to-end stories on the embedded broker.

use crate::shop::story::{
    Echo, Step, a_message_is_answered, an_unanswered_offer_goes_to_another_agent,
};

const EMBEDDED: &str = "";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_once_though_all_comes_twice() {
    a_message_is_answered(EMBEDDED, Echo::AfterTheAnswer, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_once_though_the_echo_is_faster_than_the_answer() {
    a_message_is_answered(EMBEDDED, Echo::BeforeTheAnswer, &[Step::Accepted]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_answered_at_most_once_though_the_process_is_killed_at_every_step() {
    let kills = [Step::Heard, Step::Accepted, Step::Replied, Step::Sent];
    a_message_is_answered(EMBEDDED, Echo::AfterTheAnswer, &kills).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_nobody_answers_goes_to_another_agent() {
    an_unanswered_offer_goes_to_another_agent(EMBEDDED).await;
}
