//! What ingress counts. Every series exists from the start, at zero.

use std::time::Duration;

use axum::http::StatusCode;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

/// Why a request was not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No signature, or none of ours.
    BadSignature,
    /// A handshake with another token or another mode.
    BadToken,
    /// A handshake that lacks a parameter.
    Incomplete,
    /// A body beyond the bound, or beyond what the broker takes.
    TooLarge,
    /// Too much in flight already.
    Overloaded,
    /// The body did not come in time.
    SlowBody,
    /// The body broke off.
    BrokenBody,
    /// The broker did not take it, or not in time.
    BrokerUnavailable,
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::BadSignature,
        Self::BadToken,
        Self::Incomplete,
        Self::TooLarge,
        Self::Overloaded,
        Self::SlowBody,
        Self::BrokenBody,
        Self::BrokerUnavailable,
    ];

    /// The label.
    const fn name(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::BadToken => "bad_token",
            Self::Incomplete => "incomplete",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::SlowBody => "slow_body",
            Self::BrokenBody => "broken_body",
            Self::BrokerUnavailable => "broker_unavailable",
        }
    }

    /// The answer. Of the 5xx only 503: it says "again, later", which is what we mean.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::BadSignature => StatusCode::UNAUTHORIZED,
            Self::BadToken => StatusCode::FORBIDDEN,
            Self::Incomplete | Self::BrokenBody => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Overloaded | Self::BrokerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Ingress, counted.
#[derive(Debug, Clone)]
pub struct Metrics {
    accepted: IntCounter,
    refused: IntCounterVec,
    in_flight_bytes: IntGauge,
    answer_seconds: HistogramVec,
}

impl Metrics {
    /// Registers the series.
    ///
    /// # Errors
    ///
    /// The registry's, when a name is taken.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let accepted = IntCounter::new(
            "dmstream_ingress_accepted_total",
            "Webhook bodies that the broker has and that were answered 200.",
        )?;
        let refused = IntCounterVec::new(
            Opts::new(
                "dmstream_ingress_refused_total",
                "Webhook requests not taken in, by reason.",
            ),
            &["reason"],
        )?;
        let in_flight_bytes = IntGauge::new(
            "dmstream_ingress_in_flight_bytes",
            "Bytes of bodies being read or waiting for the broker.",
        )?;
        let answer_seconds = HistogramVec::new(
            HistogramOpts::new(
                "dmstream_ingress_answer_seconds",
                "From a request's head to its answer; Meta waits 5 s.",
            )
            .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0]),
            &["code"],
        )?;
        registry.register(Box::new(accepted.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(in_flight_bytes.clone()))?;
        registry.register(Box::new(answer_seconds.clone()))?;
        for refusal in Refusal::ALL {
            refused.get_metric_with_label_values(&[refusal.name()])?;
            answer_seconds.get_metric_with_label_values(&[refusal.status().as_str()])?;
        }
        answer_seconds.get_metric_with_label_values(&[StatusCode::OK.as_str()])?;
        Ok(Self { accepted, refused, in_flight_bytes, answer_seconds })
    }

    pub(super) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(super) fn refused(&self, why: Refusal) {
        self.refused.with_label_values(&[why.name()]).inc();
    }

    pub(super) fn answered(&self, code: StatusCode, after: Duration) {
        self.answer_seconds.with_label_values(&[code.as_str()]).observe(after.as_secs_f64());
    }

    pub(super) fn in_flight_add(&self, bytes: u32) {
        self.in_flight_bytes.add(i64::from(bytes));
    }

    pub(super) fn in_flight_sub(&self, bytes: u32) {
        self.in_flight_bytes.sub(i64::from(bytes));
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn every_series_exists_at_zero_before_anything_happened() {
        let registry = Registry::new();
        Metrics::register(&registry).unwrap();
        let page = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for series in [
            "dmstream_ingress_accepted_total 0",
            "dmstream_ingress_refused_total{reason=\"bad_signature\"} 0",
            "dmstream_ingress_refused_total{reason=\"bad_token\"} 0",
            "dmstream_ingress_refused_total{reason=\"incomplete\"} 0",
            "dmstream_ingress_refused_total{reason=\"too_large\"} 0",
            "dmstream_ingress_refused_total{reason=\"overloaded\"} 0",
            "dmstream_ingress_refused_total{reason=\"slow_body\"} 0",
            "dmstream_ingress_refused_total{reason=\"broken_body\"} 0",
            "dmstream_ingress_refused_total{reason=\"broker_unavailable\"} 0",
            "dmstream_ingress_in_flight_bytes 0",
            "dmstream_ingress_answer_seconds_count{code=\"200\"} 0",
            "dmstream_ingress_answer_seconds_count{code=\"503\"} 0",
        ] {
            assert!(page.lines().any(|line| line == series), "{series} is not on the page");
        }
    }
}
