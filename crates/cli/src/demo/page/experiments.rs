//! The two experiments: to lose a write, and to revive a session.

use maud::{Markup, html};

/// Fifty increments at once.
pub(super) fn fifty() -> Markup {
    html! {
        section.card aria-labelledby="fifty-title" {
            h2 #fifty-title { "Try to lose a write" }
            p {
                "Fifty requests start at once, and each adds one to " code { "count" }
                ". A library that writes back the whole session it has read loses some."
            }
            div.cells #cells aria-hidden="true" { @for _ in 0..50 { i {} } }
            output #fifty-result {}
            button.main #fifty type="button" data-action="fifty" { "50 increments at once" }
        }
    }
}

/// A logout while a slow request is under way.
pub(super) fn revive() -> Markup {
    html! {
        section.card aria-labelledby="revive-title" {
            h2 #revive-title { "Try to revive a session" }
            p {
                "A slow request has loaded the session when you sign out, and writes after that. "
                "The write must not bring the session back, nor the cookie."
            }
            ol.steps #steps {
                (step("A slow request loads the session"))
                (step("You sign out while it waits"))
                (step("The slow request writes"))
                (step("You ask for your session"))
            }
            output #revive-result {}
            button.main #revive type="button" data-action="revive" { "Sign out during a slow request" }
        }
    }
}

/// The second part is for what came of it.
fn step(text: &str) -> Markup {
    html! { li { (text) small {} } }
}
