//! The token in the address.

use fasthttpsession_core::Transport;

use super::brings::{Brings, all_three, token, with};
use crate::support::{Response, World};

#[tokio::test]
async fn a_parameter_has_exactly_its_name_and_may_be_encoded() {
    let world = World::new();
    let sessions = with(&world, [Transport::query("s")]);
    let token = token(&sessions).await;
    let opens = async |query: String| {
        let exchange = sessions.begin([("host", "example.org")], Some(&query));
        !exchange.session().await.unwrap().is_new()
    };
    let encoded: String = token
        .bytes()
        .fold(String::new(), |text, b| format!("{text}%{b:02x}"));
    for query in [
        format!("s={token}"),
        format!("a=1&s={token}&b"),
        format!("s&s=&s={token}"),
        format!("s=wrong&s={token}"),
        format!("s={}", token.replace('.', "%2E")),
        format!("s={encoded}"),
    ] {
        assert!(opens(query.clone()).await, "{query}");
    }
    for query in [
        token.clone(),
        format!("S={token}"),
        format!("%73={token}"),
        format!("ss={token}"),
        format!("s[]={token}"),
        format!("?s={token}"),
        format!("a=s={token}"),
        format!("s={token};"),
        format!("s={token}%"),
        format!("s={token}%2"),
        format!("s={token}%zz"),
        format!("s={token}%00"),
        "s=%ff%fe".to_owned(),
    ] {
        assert!(!opens(query.clone()).await, "{query}");
    }
}

/// A page with a token in its address tells it to nobody, whoever asked for the session.
#[tokio::test]
async fn a_response_to_a_token_in_the_url_tells_no_other_site_and_is_not_stored() {
    let world = World::new();
    let sessions = with(&world, all_three());
    let token = token(&sessions).await;
    let read = Brings::by_query(&token).does(&sessions, |_| Ok(())).await;
    assert!(read.has_default("referrer-policy") && read.has_default("cache-control"));
    let unasked = sessions.begin([("host", "a")], Some(&format!("s={token}")));
    let unasked = Response(unasked.finish().await.unwrap());
    assert!(unasked.has_default("referrer-policy") && unasked.0.len() == 1);
    let read = Brings::by_header(&token).does(&sessions, |_| Ok(())).await;
    assert!(!read.has_default("referrer-policy") && !read.has_default("cache-control"));
}

#[tokio::test]
async fn the_token_that_is_exposed_is_the_one_that_opens() {
    let world = World::new();
    let sessions = with(&world, [Transport::query("s")]);
    let request = Brings::nothing().request(&sessions).await;
    assert_eq!(request.expose_token().unwrap(), None);
    request.login("ada").unwrap();
    assert_eq!(request.expose_token().unwrap(), None, "not yet");
    request.save().await.unwrap();
    let first = request.expose_token().unwrap().unwrap();
    assert!(Brings::by_query(&first).opens(&sessions).await);
    request.rotate().unwrap();
    assert_eq!(request.expose_token().unwrap(), None, "not any more");
    request.save().await.unwrap();
    let second = request.expose_token().unwrap().unwrap();
    assert!(Brings::by_query(&second).opens(&sessions).await);
    assert!(!Brings::by_query(&first).opens(&sessions).await);
    // Whoever lost the right to speak for the session learns no token.
    let slow = Brings::by_query(&second).request(&sessions).await;
    request.rotate().unwrap();
    request.save().await.unwrap();
    slow.set("n", &2).unwrap();
    slow.save().await.unwrap();
    assert_eq!(slow.expose_token().unwrap(), None);
    request.logout().unwrap();
    assert_eq!(request.expose_token().unwrap(), None);
    let shown = format!("{:?} {:?}", request.exchange, request.session);
    assert!(!shown.contains(&second));
}
