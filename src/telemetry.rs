//! Where log lines go: one line per thing that happens, to standard error, filtered by `DMSTREAM_LOG`.

use tracing_subscriber::EnvFilter;

/// Starts logging. Later calls change nothing.
///
/// # Errors
///
/// The filter's, when `filter` is not one.
pub fn start(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true)
        .try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}
