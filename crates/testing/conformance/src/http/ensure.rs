//! How a check says what it found wrong.

/// Ends the check with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err($crate::store::Failure::new(format!($($sentence)+)));
        }
    };
}
pub(crate) use ensure;
