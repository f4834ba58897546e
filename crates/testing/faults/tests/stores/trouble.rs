//! The ways in which networks misbehave here.

use fasthttpsession_faults::{Fault, Odds, Proxy};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Pieces are late, split, lost or the last ones of their connection, each at random.
    Flaky,
    /// Answers get lost at random: what was asked for was done.
    LosesAnswers,
    /// No answer comes any more: what was asked for is done.
    SwallowsAnswers,
    /// No request arrives any more.
    SwallowsRequests,
    /// Answers wait until the trouble is over.
    HoldsAnswers,
    /// Requests wait until the trouble is over.
    HoldsRequests,
    /// All connections are closed, and each new one when the first answer comes.
    Cuts,
    /// All connections are reset, and each new one when the first answer comes.
    Resets,
    /// All connections are closed, and no new one is accepted.
    Refuses,
}

impl Trouble {
    pub(crate) const ALL: [Self; 9] = [
        Self::Flaky,
        Self::LosesAnswers,
        Self::SwallowsAnswers,
        Self::SwallowsRequests,
        Self::HoldsAnswers,
        Self::HoldsRequests,
        Self::Cuts,
        Self::Resets,
        Self::Refuses,
    ];

    /// Those in which nothing is ever answered.
    pub(crate) const TOTAL: [Self; 7] = [
        Self::SwallowsAnswers,
        Self::SwallowsRequests,
        Self::HoldsAnswers,
        Self::HoldsRequests,
        Self::Cuts,
        Self::Resets,
        Self::Refuses,
    ];

    /// Begins it. [`Proxy::heal`] ends it.
    pub(crate) fn begin(self, proxy: &Proxy) {
        match self {
            Self::Flaky => {
                let odds = Odds {
                    delay: 50,
                    split: 50,
                    swallow: 5,
                    cut: 5,
                    reset: 5,
                };
                proxy.requests(Fault::AtRandom(odds));
                proxy.answers(Fault::AtRandom(odds));
            }
            Self::LosesAnswers => {
                let (swallow, cut) = (20, 20);
                proxy.answers(Fault::AtRandom(Odds {
                    swallow,
                    cut,
                    ..Odds::NONE
                }));
            }
            Self::SwallowsAnswers => proxy.answers(Fault::Swallow),
            Self::SwallowsRequests => proxy.requests(Fault::Swallow),
            Self::HoldsAnswers => proxy.answers(Fault::Hang),
            Self::HoldsRequests => proxy.requests(Fault::Hang),
            Self::Cuts => proxy.answers(Fault::Cut(0)),
            Self::Resets => proxy.answers(Fault::Reset(0)),
            Self::Refuses => {
                proxy.refuse();
                proxy.answers(Fault::Cut(0));
            }
        }
    }
}
