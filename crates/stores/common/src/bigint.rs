//! A number of a record as databases keep it.

/// `number` as a signed one of 64 bits, `BIGINT` in SQL. None of a record is above [`i64::MAX`]: headers and timestamps
/// say so. What somebody asks for may be, and becomes that.
pub fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
