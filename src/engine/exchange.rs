//! What a worker asks of its session. One implementation speaks to a broker; the simulation stands between the two.

use crate::broker::record::{Output, Record};
use crate::broker::{Error, NextOffsets, PollBounds, Polled, Session};

/// A session, as a worker uses it; each call means what [`Session`] says.
pub trait Exchange {
    /// The next records, or a change of lanes.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error>;

    /// More of what is at hand, without waiting, and whether nothing was left behind it. The memory of records that were `used`
    /// may be taken for those that come.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), Error>;

    /// Begins reading `lanes`; their state is restored.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn take(&mut self, lanes: &[u32]) -> Result<(), Error>;

    /// Lets go of `lanes`.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error>;

    /// Adds a record to the open transaction.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn send(&mut self, output: &Output) -> Result<(), Error>;

    /// Makes everything sent, and `next`, true together.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn commit(&mut self, next: &NextOffsets) -> Result<(), Error>;

    /// Drops everything sent and rewinds to what is committed.
    ///
    /// # Errors
    ///
    /// See [`Error::remedy`].
    fn abort(&mut self) -> Result<(), Error>;
}

impl Exchange for Session {
    fn poll(&mut self, bounds: &PollBounds) -> Result<Polled, Error> {
        Self::poll(self, bounds)
    }

    fn read_on(
        &mut self,
        bounds: &PollBounds,
        used: Vec<Record>,
    ) -> Result<(Vec<Record>, bool), Error> {
        Self::read_on(self, bounds, used)
    }

    fn take(&mut self, lanes: &[u32]) -> Result<(), Error> {
        Self::take(self, lanes)
    }

    fn give_up(&mut self, lanes: &[u32]) -> Result<(), Error> {
        Self::give_up(self, lanes)
    }

    fn send(&mut self, output: &Output) -> Result<(), Error> {
        Self::send(self, output)
    }

    fn commit(&mut self, next: &NextOffsets) -> Result<(), Error> {
        Self::commit(self, next)
    }

    fn abort(&mut self) -> Result<(), Error> {
        Self::abort(self)
    }
}
