//! The reader against the grammar, and against a reader that is not ours.

use proptest::prelude::*;

use super::*;

#[test]
fn numbers_stay_as_they_were_written() {
    check("17841400000000001", "17841400000000001");
    check("123456789012345678901234567890", "123456789012345678901234567890");
    check("-0.5e+3", "-0.5e+3");
    check("1e999", "1e999");

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(parse(body), Ok(Node::Number(expected)));
    }
}

#[test]
fn escapes_resolve_and_half_a_pair_costs_one_character() {
    check(r#""\u00e4\u00f6\u00e5 \ud83d\ude00""#, "äöå 😀");
    check(r#""a\/b\u003c\u0025\n\"""#, "a/b<%\n\"");
    check(r#""x\ud83dy""#, "x\u{fffd}y");
    check(r#""\ude00!""#, "\u{fffd}!");
    check(r#""\ud83d\u0041""#, "\u{fffd}A");
    check(r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀");

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(parse(body), Ok(Node::Text(Cow::Borrowed(expected))));
    }
}

#[test]
fn what_is_not_json_is_told_by_its_byte() {
    check("", 0);
    check("  ", 2);
    check("{", 1);
    check(r#"{"a":1,}"#, 7);
    check("[1 2]", 3);
    check("01", 1);
    check("1.", 2);
    check("nul", 0);
    check("\"a\nb\"", 2);
    check(r#""\x""#, 2);
    check(r#""\u12g4""#, 5);
    check("{} {}", 3);
    check("'a'", 0);

    #[track_caller]
    fn check(body: &str, at: usize) {
        assert_eq!(parse(body), Err(Malformed { at }));
    }
}

#[test]
fn nesting_is_read_to_the_bound_and_no_deeper() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert_eq!(parse(&nested(DEPTH_MAX + 1)), Err(Malformed { at: DEPTH_MAX }));
    assert!(parse(&"[".repeat(1_000_000)).is_err());
    assert!(parse(&r#"{"a":"#.repeat(200_000)).is_err());
}

#[test]
fn the_last_of_two_keys_wins_and_null_is_absent() {
    let node = parse(r#"{"a":1,"a":2,"b":null,"c":3,"c":null}"#).unwrap();
    assert_eq!(node.get("a"), Some(&Node::Number("2")));
    assert_eq!(node.get("b"), None);
    assert_eq!(node.get("c"), None);
    assert_eq!(node.get("d"), None);
}

fn same(ours: &Node<'_>, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Node::Null, Value::Null) => true,
        (Node::Bool(a), Value::Bool(b)) => a == b,
        (Node::Number(a), Value::Number(b)) => *a == b.to_string(),
        (Node::Text(a), Value::String(b)) => a == b,
        (Node::List(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Node::Map(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key.as_ref()).is_some_and(|b| same(a, b)))
        }
        _ => false,
    }
}

pub(in crate::normalize) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(serde_json::Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_reads_as_another_reader_has_it(value in any_json()) {
        for body in [value.to_string(), format!("{value:#}")] {
            prop_assert!(same(&parse(&body).unwrap(), &value));
        }
    }

    #[test]
    fn what_another_reader_refuses_is_refused_but_for_what_we_promise(body in r#"[\[\]{}:,"a\\0-9.eE+tfn ]{0,12}"#) {
        let theirs = serde_json::from_str::<serde_json::Value>(&body);
        match (parse(&body), theirs) {
            (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("number out of range")),
            (Err(_), Ok(_)) => prop_assert!(false, "refused: {body}"),
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => (),
        }
    }
}
