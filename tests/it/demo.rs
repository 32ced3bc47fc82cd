//! The demo on the embedded broker, killed and restarted: its own books agree.

use crate::shop::story::the_demo_agrees;

#[test]
fn the_demo_loses_and_doubles_nothing_though_it_is_killed_twice() {
    the_demo_agrees(&["--seed", "5"]);
}
