//! What a file store promises beyond the conformance suite.

#[cfg(test)]
mod failing;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod purging;
#[cfg(test)]
mod runtimes;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod sync;
