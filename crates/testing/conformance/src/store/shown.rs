//! What lines and errors show: a text that nobody else has is looked for in whatever way it may be shown.

use std::error::Error;

use fasthttpsession_core::StoreError;

use super::failure::{Outcome, ensure};

/// The ways to show a text: as it is, as a list of numbers, as hexadecimal digits.
pub(crate) fn ways(text: &str) -> [String; 3] {
    let each = |show: fn(u8) -> String| text.bytes().map(show).collect::<Vec<_>>();
    let numbers = each(|byte| byte.to_string()).join(",");
    let digits = each(|byte| format!("{byte:02x}")).concat();
    [text.to_owned(), numbers, digits]
}

/// A line in the one form in which [`ways`] are looked for.
pub(crate) fn plain(line: &str) -> String {
    line.split_whitespace().collect::<String>().to_lowercase()
}

/// Neither what the `error` says, nor what it has for those who debug, nor what it came from shows `text`.
pub(crate) fn is_silent_of(text: &str, error: &StoreError) -> Outcome {
    let mut shown = vec![format!("{error} {error:?}")];
    let mut cause = error.source();
    while let Some(source) = cause {
        shown.push(format!("{source} {source:?}"));
        cause = source.source();
    }
    let shown = shown.join(" ");
    let plain = plain(&shown);
    ensure!(
        !ways(text).iter().any(|way| plain.contains(way)),
        "an error shows what a record holds: {shown}"
    );
    Ok(())
}
