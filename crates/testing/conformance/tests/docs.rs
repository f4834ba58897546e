//! The store suite's page names every check, under its guarantee.

#[allow(dead_code)]
mod faulty;

#[test]
fn the_page_lists_every_check_under_its_guarantee() {
    let page = include_str!("../src/store.md");
    for check in fasthttpsession_conformance::store::checks::<faulty::Faulty>() {
        let line = page
            .lines()
            .find(|line| line.contains(&format!("`{}`", check.name)));
        let line = line.unwrap_or_else(|| panic!("the page does not name {}", check.name));
        let group = format!("| {} |", check.guarantee);
        assert!(
            line.starts_with(&group),
            "{} is about {}, the page says {line}",
            check.name,
            check.guarantee
        );
    }
}
