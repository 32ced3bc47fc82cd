//! The `dmstream` program: reads the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;
use dmstream::{app, cli};
use mimalloc::MiMalloc;

/// What the stages allocate for a batch is freed on other threads; the system's allocator is slow at that.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    app::execute(cli::Cli::parse().command)
}
