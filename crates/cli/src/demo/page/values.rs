//! The card that shows the values, and lets one set, count and remove them.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::Shown;

/// The values of a session, or how to make the first one.
pub(super) fn card(shown: &Shown) -> Markup {
    html! {
        section.card aria-labelledby="values-title" {
            div.title {
                h2 #values-title tabindex="-1" { "Values" }
                button #count type="button" data-action="count" data-key="count" { "Add one to count" }
            }
            div #values data-live { (list(&shown.session.values)) }
            (set_form())
            output #values-result {}
        }
    }
}

fn list(values: &Map<String, Value>) -> Markup {
    html! {
        @if values.is_empty() {
            p.empty { "No values yet. Set one, or count." }
        } @else {
            table {
                thead { tr { th scope="col" { "Key" } th scope="col" { "Value" } th scope="col" { span.unseen { "Actions" } } } }
                tbody { @for (key, value) in values { (row(key, value)) } }
            }
            button.quiet #clear type="button" data-action="clear" { "Remove all values" }
        }
    }
}

fn row(key: &str, value: &Value) -> Markup {
    html! {
        tr data-key=(key) {
            th scope="row" { (key) }
            td { code { (value) } }
            td.acts {
                @if value.is_i64() {
                    button.small id={ "count-" (key) } type="button" data-action="count" data-key=(key) aria-label={ "Add one to " (key) } { "+1" }
                }
                button.small id={ "remove-" (key) } type="button" data-action="remove" data-key=(key) aria-label={ "Remove " (key) } { "×" }
            }
        }
    }
}

fn set_form() -> Markup {
    html! {
        form.row data-action="set" {
            label { "Key" input name="key" placeholder="color" required autocomplete="off" autocapitalize="none"; }
            label { "Value, text or JSON" input name="value" placeholder="green" autocomplete="off" autocapitalize="none"; }
            button #set { "Set" }
        }
    }
}
