//! What the send stage counts. Every series exists from the start, at zero.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::domain::outbound::SendOutcome;

/// The send stage, counted. A turn that is aborted and repeated counts its results twice.
#[derive(Debug, Clone)]
pub struct Metrics {
    sends: IntCounterVec,
}

impl Metrics {
    /// Registers the series.
    ///
    /// # Errors
    ///
    /// The registry's, when a name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let sends = IntCounterVec::new(
            Opts::new("dmstream_sends_total", "Outbound parts settled, by outcome."),
            &["outcome"],
        )?;
        registry.register(Box::new(sends.clone()))?;
        for outcome in ["sent", "failed", "unknown"] {
            sends.get_metric_with_label_values(&[outcome])?;
        }
        Ok(Self { sends })
    }

    pub(super) fn settled(&self, outcome: &SendOutcome) {
        let label = match outcome {
            SendOutcome::Accepted { .. } => "sent",
            SendOutcome::Failed { .. } => "failed",
            SendOutcome::Unknown => "unknown",
        };
        self.sends.with_label_values(&[label]).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn every_outcome_exists_at_zero_and_is_counted_under_its_name() {
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        metrics.settled(&SendOutcome::Accepted { mid: None });
        let page = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for series in [("sent", 1), ("failed", 0), ("unknown", 0)] {
            let line = format!("dmstream_sends_total{{outcome=\"{}\"}} {}", series.0, series.1);
            assert!(page.lines().any(|found| found == line), "{line} not in:\n{page}");
        }
    }
}
