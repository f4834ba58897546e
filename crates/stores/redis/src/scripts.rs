//! The Lua scripts: each is one or more files of `scripts/`, one after the other.

use std::sync::LazyLock;

use redis::Cmd;

/// A script, and the hash by which servers that have seen it know it.
pub(crate) struct Script(LazyLock<redis::Script>, fn() -> &'static str);

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $($file:literal)+;)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: Script = Script(
                LazyLock::new(|| redis::Script::new($name.source())),
                || concat!($(include_str!(concat!("scripts/", $file, ".lua"))),+),
            );
        )*
    };
}

scripts! {
    /// Writes a record where there is none.
    CREATE = "record" "create" "index" "bind";
    /// Writes a record in place of the version that is expected.
    REPLACE = "swap" "common" "record" "replace" "index" "bind";
    /// Writes many records, each in place of the version that is expected, in the common case.
    SWAPS = "swap" "swaps";
    /// Moves an idle deadline.
    TOUCH = "record" "touch";
    /// Removes a record.
    DELETE = "record" "delete";
    /// Enters a session into an index that is on another server than its record.
    ENTER = "index" "enter";
    /// Removes entries of an index that are left over.
    TIDY = "index" "tidy";
}

impl Script {
    /// The call by hash, for a server that has seen the script.
    pub(crate) fn by_hash(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", self.0.get_hash(), keys, arguments)
    }

    /// The call with the whole source.
    pub(crate) fn whole(&self, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", self.source(), keys, arguments)
    }

    fn source(&self) -> &'static str {
        (self.1)()
    }
}

fn call(command: &str, script: &str, keys: &[&str], arguments: &[&[u8]]) -> Cmd {
    let count = keys.len().to_string();
    let texts = [command, script, &count].into_iter();
    let texts = texts.chain(keys.iter().copied()).map(str::len);
    // Room for all of it, for a group of records is long.
    let bytes = texts.chain(arguments.iter().map(|argument| argument.len()));
    let mut call = Cmd::with_capacity(3 + keys.len() + arguments.len(), bytes.sum());
    call.arg(command).arg(script).arg(&count).arg(keys);
    for argument in arguments {
        call.arg(*argument);
    }
    call
}
