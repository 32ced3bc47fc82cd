//! The `dmstream` program: reads the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;
use dmstream::{app, cli};

fn main() -> ExitCode {
    app::execute(cli::Cli::parse().command)
}
