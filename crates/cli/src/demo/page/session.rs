//! The card that shows the session itself: whose it is, its handle, and how long it has left.

use std::time::Duration;

use fasthttpsession::Lifetimes;
use maud::{Markup, html};

use super::Shown;
use crate::demo::view::View;

/// A visitor, a session, or a session that somebody signed in to, and what each of them can do.
pub(super) fn card(shown: &Shown) -> Markup {
    html! {
        section.card aria-labelledby="session-title" {
            (live(shown))
            output #session-result {}
        }
    }
}

/// With the time, so that the script counts by the clock of the server.
fn live(shown: &Shown) -> Markup {
    let session = &shown.session;
    let cookie = if shown.cookie { "sent" } else { "none" };
    html! {
        div.parts #session data-live data-state=(state(session)) data-cookie=(cookie) data-now=(shown.now) {
            div.title {
                h2 #session-title tabindex="-1" { "Your session" }
                (badge(session.principal.as_deref(), state(session)))
            }
            @match &session.handle {
                Some(handle) => (facts(shown, handle)),
                None => (nobody(shown.cookie)),
            }
            (actions(session))
        }
    }
}

fn state(session: &View) -> &'static str {
    match (&session.handle, &session.principal) {
        (None, _) => "visitor",
        (Some(_), None) => "anonymous",
        (Some(_), Some(_)) => "signed-in",
    }
}

fn badge(principal: Option<&str>, state: &str) -> Markup {
    html! {
        p.badge #badge {
            @match (principal, state) {
                (Some(principal), _) => { "Signed in as " strong { (principal) } }
                (None, "visitor") => "None",
                _ => "Not signed in",
            }
        }
    }
}

fn nobody(cookie: bool) -> Markup {
    html! {
        p.empty {
            "Nothing is stored about you. "
            @if cookie { "Your browser sent a cookie, but it opens no session. " } @else { "Your browser sent no cookie. " }
            "The first thing that you write begins a session."
        }
    }
}

fn facts(shown: &Shown, handle: &str) -> Markup {
    let View {
        created_at,
        idle_deadline,
        absolute_deadline,
        ..
    } = shown.session;
    let lifetimes = Lifetimes::default();
    html! {
        dl {
            div.wide {
                dt { "Handle" }
                dd { code #handle { (handle) } }
                dd.hint { "Names the session and may be logged. The secret is in a cookie that no script can read." }
            }
            (age(created_at.unwrap_or_default(), shown.now))
            (deadline("Ends unused in", idle_deadline, shown.now, lifetimes.idle()))
            (deadline("Ends anyway in", absolute_deadline, shown.now, lifetimes.absolute()))
        }
    }
}

fn age(since: u64, now: u64) -> Markup {
    html! {
        div.line {
            dt { "Age" }
            dd { span data-since=(since) { (span(now.saturating_sub(since))) } }
        }
    }
}

fn deadline(label: &str, deadline: Option<u64>, now: u64, whole: Duration) -> Markup {
    let deadline = deadline.unwrap_or_default();
    let left = deadline.saturating_sub(now);
    html! {
        div {
            dt { (label) }
            dd { span data-until=(deadline) { (span(left)) } }
            dd { progress max=(whole.as_millis()) value=(left) data-until=(deadline) aria-label=(label) {} }
        }
    }
}

fn actions(session: &View) -> Markup {
    html! {
        @if session.principal.is_none() {
            form.row data-action="login" {
                label { "Sign in as" input name="user" value="alice" required autocomplete="off" autocapitalize="none"; }
                button #login { "Sign in" }
            }
        }
        @if session.handle.is_some() {
            div.row {
                button #rotate type="button" data-action="rotate" { "Rotate the secret" }
                button #logout type="button" data-action="logout" {
                    @if session.principal.is_some() { "Sign out" } @else { "End the session" }
                }
            }
        }
    }
}

/// `59:58`, or `23:59:58`.
fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_span_has_hours_only_when_there_are_some() {
        assert_eq!(span(0), "0:00");
        assert_eq!(span(3_599_999), "59:59");
        assert_eq!(span(86_400_000), "24:00:00");
    }
}
