//! The sessions of a user are listed and ended from outside of them, and nobody else's.

use fasthttpsession_core::{
    BuildError, Error, Handle, Lifetimes, StoreErrorKind, UserSession, Users,
};

use crate::faulty::{Fault, Op};
use crate::support::{Client, DAY, HOUR, MINUTE, World};

fn handles(sessions: &[UserSession]) -> Vec<Handle> {
    sessions.iter().map(|session| session.handle).collect()
}

async fn listed(users: &Users, principal: &str) -> Vec<Handle> {
    handles(&users.sessions_of(principal).await.unwrap())
}

#[tokio::test]
async fn a_user_sees_when_each_session_was_made_and_last_used_and_ends() {
    let world = World::new();
    let sessions = world.sessions();
    let users = sessions.users().unwrap();
    let begun = world.now();
    let mut phone = Client::new();
    phone
        .visit(&sessions, |s| s.login("ada").and(s.set_label("phone")))
        .await;
    world.clock.advance(10 * MINUTE);
    let laptop = Client::signed_in(&sessions, "ada").await;
    Client::signed_in(&sessions, "bob").await;
    world.clock.advance(20 * MINUTE);
    phone.request(&sessions).await.respond().await;

    let [first, second] = &users.sessions_of("ada").await.unwrap()[..] else {
        panic!("ada has two sessions");
    };
    assert_eq!(first.handle, phone.handle(), "last seen first");
    assert_eq!(first.label.as_ref().unwrap().as_str(), "phone");
    assert_eq!(first.created_at, begun);
    assert_eq!(first.last_seen, begun.after(30 * MINUTE));
    assert_eq!(first.idle_deadline, begun.after(30 * MINUTE + HOUR));
    assert_eq!(first.absolute_deadline, begun.after(DAY));
    assert_eq!(second.handle, laptop.handle());
    assert_eq!(second.label, None);
    assert_eq!(second.last_seen, begun.after(10 * MINUTE));
    assert_eq!(listed(&users, "nobody").await, []);
}

#[tokio::test]
async fn lifetimes_of_its_own_do_not_shift_when_a_session_was_last_seen() {
    let world = World::new();
    let sessions = world.sessions();
    let own = Lifetimes::new(10 * HOUR, DAY);
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.login("ada").and(s.set_lifetimes(own)))
        .await;
    let listed = sessions.users().unwrap().sessions_of("ada").await.unwrap();
    assert_eq!(listed[0].last_seen, world.now());
}

#[tokio::test]
async fn a_session_that_is_only_read_was_seen_lately_until_its_absolute_deadline() {
    for own in [Lifetimes::remember(30), Lifetimes::new(DAY, 30 * DAY)] {
        let world = World::new();
        let sessions = world.sessions();
        let users = sessions.users().unwrap();
        let mut client = Client::new();
        client
            .visit(&sessions, |s| s.login("ada").and(s.set_lifetimes(own)))
            .await;
        for _ in 1..30 * 24 {
            world.clock.advance(HOUR);
            client.request(&sessions).await.respond().await;
            let last_seen = users.sessions_of("ada").await.unwrap()[0].last_seen;
            assert!(world.now().since(last_seen) <= own.idle() / 20);
        }
    }
}

#[tokio::test]
async fn a_session_was_never_last_seen_in_the_future() {
    let world = World::new();
    let long = world
        .builder()
        .lifetimes(Lifetimes::new(DAY, DAY))
        .build()
        .unwrap();
    Client::signed_in(&long, "ada").await;
    world.clock.advance(MINUTE);
    let short = world.sessions();
    let listed = short.users().unwrap().sessions_of("ada").await.unwrap();
    assert_eq!(listed[0].last_seen, world.now());
}

#[tokio::test]
async fn one_that_is_ended_is_gone_at_its_next_request_on_every_node() {
    let world = World::new();
    let (here, there) = (world.sessions(), world.sessions());
    let users = here.users().unwrap();
    let phone = Client::signed_in(&there, "ada").await;
    let laptop = Client::signed_in(&there, "ada").await;
    let under_way = phone.request(&there).await;

    assert!(users.end("ada", phone.handle()).await.unwrap());
    assert!(!phone.is_known(&there).await);
    assert!(laptop.is_known(&there).await);
    assert_eq!(listed(&users, "ada").await, [laptop.handle()]);
    under_way.set("late", &1).unwrap();
    assert_eq!(under_way.respond().await.cookie(), None);
    assert!(!phone.is_known(&there).await, "nothing revives it");
    assert!(!users.end("ada", phone.handle()).await.unwrap());
}

#[tokio::test]
async fn nobody_ends_a_session_of_somebody_else_by_its_handle() {
    let world = World::new();
    let sessions = world.sessions();
    let users = sessions.users().unwrap();
    let bob = Client::signed_in(&sessions, "bob").await;
    let visitor = Client::with(&sessions, "n", 1).await;
    assert!(!users.end("ada", bob.handle()).await.unwrap());
    assert!(!users.end("ada", visitor.handle()).await.unwrap());
    assert!(bob.is_known(&sessions).await);
    assert!(visitor.is_known(&sessions).await);
}

#[tokio::test]
async fn all_others_are_ended_and_the_one_that_is_kept_lives() {
    let world = World::new();
    let sessions = world.sessions();
    let users = sessions.users().unwrap();
    let mut all = Vec::new();
    for _ in 0..40 {
        all.push(Client::signed_in(&sessions, "ada").await);
    }
    let bob = Client::signed_in(&sessions, "bob").await;
    let kept = all.pop().unwrap();
    assert_eq!(users.end_others("ada", kept.handle()).await.unwrap(), 39);
    assert_eq!(listed(&users, "ada").await, [kept.handle()]);
    for ended in all {
        assert!(!ended.is_known(&sessions).await);
    }
    assert_eq!(users.end_all("ada").await.unwrap(), 1);
    assert!(!kept.is_known(&sessions).await);
    assert!(bob.is_known(&sessions).await);
}

#[tokio::test]
async fn a_session_that_can_not_be_read_is_listed_and_ended() {
    let world = World::new();
    let sessions = world.sessions();
    let users = sessions.users().unwrap();
    let client = Client::signed_in(&sessions, "ada").await;
    let garbage = b"no record".to_vec();
    world
        .store
        .overwrite(client.handle(), garbage, world.now())
        .await;
    assert_eq!(listed(&users, "ada").await, [client.handle()]);
    assert!(users.end("ada", client.handle()).await.unwrap());
    assert_eq!(listed(&users, "ada").await, []);
}

#[tokio::test]
async fn a_store_that_can_not_list_is_refused_where_the_application_starts() {
    let world = World::new();
    world.store.unlearn_listing();
    let refused = world.sessions().users().unwrap_err();
    assert!(matches!(
        refused,
        BuildError::CannotList { store: "faulty" }
    ));
    assert!(refused.to_string().contains("can't list"));
}

#[tokio::test]
async fn all_are_tried_and_a_failure_is_told() {
    let world = World::new();
    let sessions = world.sessions();
    let users = sessions.users().unwrap();
    for _ in 0..3 {
        Client::signed_in(&sessions, "ada").await;
    }
    let refusal = Fault::Refuse(StoreErrorKind::Unavailable);
    world.store.first(Op::Delete, [refusal]);
    let error = users.end_all("ada").await.unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
    assert_eq!(listed(&users, "ada").await.len(), 1);
}

#[tokio::test]
async fn a_name_that_no_principal_has_is_refused() {
    let world = World::new();
    let users = world.sessions().users().unwrap();
    assert!(users.sessions_of("").await.is_err());
    assert!(users.end_all(&"a".repeat(256)).await.is_err());
}
