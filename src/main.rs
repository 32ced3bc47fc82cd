//! The `dmstream` program: reads the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;
use dmstream::{app, cli};
use mimalloc::MiMalloc;

/// What the stages allocate for a batch is freed on other threads; the system's allocator is slow at that.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    use_small_pages();
    app::execute(cli::Cli::parse().command)
}

/// Memory is taken and given back by the megabyte, by the Kafka client above all. With huge pages each of those that is touched
/// again is cleared as a whole first, which cost a tenth of all processor time (docs/benchmarks.md). Where the kernel refuses,
/// it is only slower.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _slower_at_worst = rustix::thread::disable_transparent_huge_pages(true);
}
