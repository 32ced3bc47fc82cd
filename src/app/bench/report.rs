//! Figures for people: medians, spread, percentiles, tables. Pure.

use std::fmt;

/// What the runs of one side gave, in the order they ran.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Runs(pub(super) Vec<f64>);

impl Runs {
    /// The run in the middle; of an even number the mean of the two. Zero without runs.
    pub(super) fn median(&self) -> f64 {
        let sorted = self.sorted();
        let middle = sorted.len() / 2;
        match (sorted.get(middle.wrapping_sub(1)), sorted.get(middle)) {
            (Some(below), Some(above)) if sorted.len().is_multiple_of(2) => (below + above) / 2.0,
            (_, Some(middle)) => *middle,
            (_, None) => 0.0,
        }
    }

    /// How far the runs lie apart, as a share of the median.
    pub(super) fn spread(&self) -> f64 {
        let sorted = self.sorted();
        match (sorted.first(), sorted.last()) {
            (Some(least), Some(most)) if self.median() > 0.0 => (most - least) / self.median(),
            (_, _) => 0.0,
        }
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// The value below which `share` of `values` lie; zero without values. Sorts them.
pub(super) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is between zero and the length"
    )]
    let place = (values.len() as f64 * share.clamp(0.0, 1.0)) as usize;
    let last = values.len().saturating_sub(1);
    values.get(place.min(last)).copied().unwrap_or(0.0)
}

/// Lines of cells under a heading, columns as wide as their widest cell; the first to the left, the others to the right.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns.
    pub(super) fn new(head: &[&str]) -> Self {
        Self { lines: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// Adds a line.
    pub(super) fn line(&mut self, cells: &[String]) {
        self.lines.push(cells.to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for line in &self.lines {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                if column == 0 {
                    write!(f, "{cell:<width$}")?;
                } else {
                    write!(f, "  {cell:>width$}")?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// `12,345`.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `7 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `0.83`, or nothing to compare with.
pub(super) fn ratio(of: f64, limit: f64) -> String {
    if limit > 0.0 { format!("{:.2}", of / limit) } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_run_in_the_middle() {
        check(&[], 0.0, 0.0);
        check(&[5.0], 5.0, 0.0);
        check(&[9.0, 1.0, 4.0], 4.0, 2.0);
        check(&[1.0, 4.0, 2.0, 8.0], 3.0, 7.0 / 3.0);

        #[track_caller]
        fn check(runs: &[f64], median: f64, spread: f64) {
            let runs = Runs(runs.to_vec());
            assert!((runs.median() - median).abs() < 1e-9, "{runs:?}");
            assert!((runs.spread() - spread).abs() < 1e-9, "{runs:?}");
        }
    }

    #[test]
    fn a_percentile_leaves_its_share_below() {
        let mut values: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert!((percentile(&mut values, 0.5) - 50.0).abs() < 1e-9);
        assert!((percentile(&mut values, 0.99) - 99.0).abs() < 1e-9);
        assert!((percentile(&mut values, 1.0) - 99.0).abs() < 1e-9);
        assert!(percentile(&mut [], 0.5).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        check(0.0, "0");
        check(999.4, "999");
        check(1_000.0, "1,000");
        check(1_234_567.0, "1,234,567");

        #[track_caller]
        fn check(number: f64, text: &str) {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(&["side", "rate"]);
        table.line(&["limit".to_owned(), "10".to_owned()]);
        assert_eq!(table.to_string(), "side   rate\nlimit    10\n");
    }
}
