//! `dmstream facts` as somebody runs it who waits for what comes.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use dmstream::broker::kafka::KafkaBroker;
use dmstream::clock::Stopwatch;
use dmstream::topics::Topic;

use crate::shop::command;
use crate::world::{PATIENCE, append, create, settings};

/// From now on is neither before nor ever over: what was told earlier is not shown, what is told later is, until it is stopped.
#[test]
fn facts_from_now_on_are_printed_as_they_are_told_and_those_of_one_thread_alone() {
    let settings = settings("facts");
    create(&settings, &[(Topic::Timeline, 2)]);
    let producer = KafkaBroker::connect(settings.clone()).unwrap().producer().unwrap();
    append(&producer, Topic::Timeline, "1:7", "\"earlier\"");
    let mut following = command(&["facts", "--from", "latest", "--thread", "1:7"])
        .env("DMSTREAM_KAFKA_BOOTSTRAP", &settings.bootstrap)
        .env("DMSTREAM_TOPIC_PREFIX", &settings.topic_prefix)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(following.stdout.take().unwrap());
    let (says, said) = mpsc::channel();
    std::thread::spawn(move || printed.lines().try_for_each(|line| says.send(line.unwrap())));
    let (watch, mut told, mut heard) = (Stopwatch::start(), 0, Vec::new());
    while heard.len() < 3 && watch.elapsed() < PATIENCE {
        append(&producer, Topic::Timeline, "1:8", "\"of another thread\"");
        append(&producer, Topic::Timeline, "1:7", &told.to_string());
        told += 1;
        heard.extend(said.recv_timeout(Duration::from_millis(200)));
    }
    assert_eq!(following.try_wait().unwrap(), None, "it goes on until it is stopped");
    following.kill().unwrap();
    following.wait().unwrap();
    let heard: Vec<u32> = heard.iter().map(|line| line.parse().unwrap()).collect();
    let first = heard[0];
    assert_eq!(heard, [first, first + 1, first + 2], "each once, in order");
}
