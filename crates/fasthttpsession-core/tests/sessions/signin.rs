//! Sign-in is a boundary: what was under way before it changes nothing after it. And a rotation in between takes away
//! what only the presented secret gave a right to.

use fasthttpsession_core::{Cookie, Lifetimes, Outcome, Session, StoreErrorKind};

use crate::faulty::Op;
use crate::support::{Client, DAY, HOUR, MINUTE, World, opens};

/// "Requests under way before a sign-in change nothing after it" (fixation).
#[tokio::test]
async fn requests_under_way_before_a_sign_in_change_nothing_after_it() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let acts: [fn(&Session); 7] = [
        |s| s.set("n", &666).unwrap(),
        |s| s.update("n", |n: &mut u64| *n = 666).unwrap(),
        |s| s.clear().unwrap(),
        |s| s.remove("n").unwrap(),
        |s| s.set_label("evil").unwrap(),
        |s| s.rotate().unwrap(),
        |s| s.reauthenticated().unwrap(),
    ];
    let mut early = Vec::new();
    for act in acts {
        let request = client.request(&sessions).await;
        act(&request);
        early.push(request);
    }
    client.visit(&sessions, |s| s.login("ada")).await;
    let before = world.record(&client).await.unwrap();
    for request in &early {
        assert_eq!(request.save().await.unwrap(), Outcome::Superseded);
        assert_eq!(request.respond().await.cookie(), None);
        assert!(!request.is_alive().await.unwrap());
    }
    assert_eq!(world.record(&client).await.unwrap(), before);
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_log_in_the_same_batch_as_a_sign_in_is_superseded_too() {
    use crate::faulty::{Fault, Gate};
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let mut requests = Vec::new();
    for _ in 0..4 {
        requests.push(client.request(&sessions).await);
    }
    requests[0].set("first", &1).unwrap();
    requests[1].set("second", &1).unwrap();
    requests[2].login("ada").unwrap();
    requests[3].set("fourth", &1).unwrap();
    let mut tasks = Vec::new();
    for request in requests {
        tasks.push(tokio::spawn(async move { request.respond().await }));
        crate::support::settle().await;
    }
    gate.reached().await;
    gate.open();
    let responses = crate::support::join(tasks).await;
    let cookies: Vec<_> = responses.iter().map(|r| r.cookie().is_some()).collect();
    assert_eq!(cookies, [false, false, true, false]);
    let ada = Client::with_token(&responses[2].token().unwrap());
    assert_eq!(
        ada.request(&sessions).await.keys(),
        ["first", "n", "second"]
    );
}

/// Nobody has signed in then, so nothing is superseded.
#[tokio::test]
async fn a_log_in_the_same_batch_as_a_sign_in_that_fails_is_committed() {
    use crate::faulty::{Fault, Gate};
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let gate = Gate::new();
    let refused = Fault::Refuse(StoreErrorKind::Unavailable);
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone()), refused]);
    let [first, signing_in, setting, refusing] = [
        client.request(&sessions).await,
        client.request(&sessions).await,
        client.request(&sessions).await,
        client.request(&sessions).await,
    ];
    first.set("first", &1).unwrap();
    signing_in.login("ada").unwrap();
    signing_in.set("n", &2).unwrap();
    setting.set("set", &1).unwrap();
    refusing
        .update("n", |n: &mut u64| match *n {
            1 => Ok(()),
            _ => Err("it is the user's"),
        })
        .unwrap();
    let mut tasks = Vec::new();
    for request in [first, signing_in, setting, refusing] {
        tasks.push(tokio::spawn(
            async move { request.finish().await.map(|_| ()) },
        ));
        crate::support::settle().await;
    }
    gate.reached().await;
    gate.open();
    let ends = crate::support::join(tasks).await;
    let failed: Vec<_> = ends.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false, false]);
    assert_eq!(
        client.request(&sessions).await.keys(),
        ["first", "n", "set"]
    );
}

/// "Sign-in and re-authentication give a new token; the old one is dead" (7.2.4).
#[tokio::test]
async fn sign_in_rotation_and_reauthentication_leave_exactly_one_secret() {
    let acts: [fn(&Session); 3] = [
        |s| s.login("ada").unwrap(),
        |s| s.rotate().unwrap(),
        |s| s.reauthenticated().unwrap(),
    ];
    for act in acts {
        let world = World::new();
        let renewing = world.builder().renew_every(HOUR / 2).build().unwrap();
        let mut client = Client::with(&renewing, "n", 1).await;
        let mut former = vec![client.token().unwrap()];
        // With an offer under way, one taken up, and one retiring.
        for _ in 0..2 {
            world.clock.advance(HOUR / 2);
            client.visit(&renewing, |_| Ok(())).await;
            former.push(client.token().unwrap());
        }
        former.dedup();
        assert!(former.len() > 1);
        let handle = client.handle();
        client
            .visit(&renewing, |s| {
                act(s);
                Ok(())
            })
            .await;
        assert_eq!(client.handle(), handle);
        for token in former {
            assert!(!opens(&renewing, &token).await);
        }
        assert!(client.is_known(&renewing).await);
        assert_eq!(client.get(&renewing, "n").await, Some(1));
    }
}

#[tokio::test]
async fn after_a_rotation_in_between_values_commit_but_secrets_and_cookies_do_not() {
    let acts: [fn(&Session); 3] = [
        |_| (),
        |s| s.rotate().unwrap(),
        |s| s.reauthenticated().unwrap(),
    ];
    for act in acts {
        let world = World::new();
        let cookie = Cookie::default().persistent();
        let sessions = world.builder().cookie(cookie).build().unwrap();
        let mut client = Client::signed_in(&sessions, "ada").await;
        let slow = client.request(&sessions).await;
        slow.set("n", &7).unwrap();
        slow.set_label("phone").unwrap();
        act(&slow);
        client
            .visit(&sessions, fasthttpsession_core::Session::rotate)
            .await;
        let absolute = world
            .record(&client)
            .await
            .unwrap()
            .header
            .absolute_deadline;
        world.clock.advance(10 * MINUTE);
        let response = slow.respond().await;
        assert_eq!(response.cookie(), None);
        let record = world.record(&client).await.unwrap();
        assert_eq!(record.header.absolute_deadline, absolute);
        assert_eq!(record.header.label.unwrap().as_str(), "phone");
        assert_eq!(client.get(&sessions, "n").await, Some(7));
        assert!(slow.is_alive().await.unwrap());
    }
}

/// What only the secret may do is not done, and whoever saves is told.
#[tokio::test]
async fn a_save_says_that_a_rotation_in_between_has_overtaken_it() {
    type Act = fn(&Session);
    let acts: [(Act, Outcome); 4] = [
        (|_| (), Outcome::Committed),
        (|s| s.rotate().unwrap(), Outcome::Overtaken),
        (|s| s.reauthenticated().unwrap(), Outcome::Overtaken),
        (
            |s| s.set_credential_stamp("new").unwrap(),
            Outcome::Overtaken,
        ),
    ];
    for (act, outcome) in acts {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = Client::signed_in(&sessions, "ada").await;
        let slow = client.request(&sessions).await;
        slow.set("n", &7).unwrap();
        act(&slow);
        client
            .visit(&sessions, fasthttpsession_core::Session::rotate)
            .await;
        assert_eq!(slow.save().await.unwrap(), outcome);
        assert_eq!(slow.save().await.unwrap(), Outcome::Unchanged);
        assert_eq!(slow.respond().await.cookie(), None);
        let request = client.request(&sessions).await;
        assert_eq!(request.get("n").unwrap(), Some(7));
        assert!(!request.has_credential_stamp("new"));
    }
}

#[tokio::test]
async fn a_sign_in_with_a_secret_that_was_rotated_away_makes_a_fresh_session() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let slow = client.request(&sessions).await;
    slow.login("eve").unwrap();
    client
        .visit(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    let eve = Client::with_token(&slow.respond().await.token().unwrap());
    assert_ne!(eve.handle(), client.handle());
    assert_eq!(client.request(&sessions).await.principal(), None);
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_sign_in_over_another_principal_starts_empty() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    client.visit(&sessions, |s| s.set("private", &1)).await;
    client
        .visit(&sessions, |s| s.set_label("ada's phone"))
        .await;
    // Signing in again is no change of hands.
    client.visit(&sessions, |s| s.login("ada")).await;
    assert_eq!(client.get(&sessions, "private").await, Some(1));

    let request = client.request(&sessions).await;
    request.set("of ada", &1).unwrap();
    request.login("eve").unwrap();
    assert!(request.is_empty() && request.label().is_none());
    request.set("of eve", &1).unwrap();
    client.receive(&request.respond().await);
    let request = client.request(&sessions).await;
    assert_eq!(request.principal().unwrap().as_str(), "eve");
    assert_eq!(request.keys(), ["of eve"]);
    assert_eq!(request.label(), None);
}

#[tokio::test]
async fn a_sign_in_over_another_principal_has_the_usual_lifetimes() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| {
            s.set_lifetimes(Lifetimes::remember(30))?;
            s.login("ada")
        })
        .await;
    client.visit(&sessions, |s| s.login("ada")).await;
    let header = world.record(&client).await.unwrap().header;
    assert_eq!(header.absolute_deadline, world.now().after(30 * DAY));
    client.visit(&sessions, |s| s.login("eve")).await;
    let header = world.record(&client).await.unwrap().header;
    assert_eq!(header.idle_deadline, world.now().after(HOUR));
    assert_eq!(header.absolute_deadline, world.now().after(DAY));
}

/// What was longer before does not last.
#[tokio::test]
async fn sign_in_and_reauthentication_count_from_now_when_lifetimes_were_cut() {
    let world = World::new();
    let long = Lifetimes::new(8 * HOUR, DAY);
    let before = world.builder().lifetimes(long).build().unwrap();
    let after = world.sessions();
    for act in [|s: &Session| s.login("ada"), Session::reauthenticated] {
        let mut client = Client::signed_in(&before, "ada").await;
        client.visit(&after, act).await;
        let header = world.record(&client).await.unwrap().header;
        assert_eq!(header.idle_deadline, world.now().after(HOUR));
    }
}

#[tokio::test]
async fn a_sign_in_over_another_principal_starts_empty_after_a_conflict_too() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.login("eve").unwrap();
    request.set("of eve", &1).unwrap();
    client
        .clone()
        .visit(&sessions, |s| s.set("private", &1))
        .await;
    let eve = Client::with_token(&request.respond().await.token().unwrap());
    assert_eq!(eve.request(&sessions).await.keys(), ["of eve"]);
}

#[tokio::test]
async fn a_sign_in_keeps_what_an_anonymous_visitor_had() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "cart", 3).await;
    client.visit(&sessions, |s| s.login("ada")).await;
    assert_eq!(client.get(&sessions, "cart").await, Some(3));
}

#[tokio::test]
async fn a_sign_in_on_a_session_that_is_gone_makes_a_fresh_one_with_what_came_since() {
    for (gone, principal) in [(true, "ada"), (false, "ada"), (false, "eve")] {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = Client::with(&sessions, "n", 1).await;
        let slow = client.request(&sessions).await;
        slow.set("before", &1).unwrap();
        slow.update("n", |n: &mut u64| *n += 1).unwrap();
        slow.set_label("before").unwrap();
        slow.login("ada").unwrap();
        slow.set("since", &1).unwrap();
        slow.update("added", |n: &mut u64| *n += 1).unwrap();
        if gone {
            sessions.end(client.handle()).await.unwrap();
        } else {
            client.visit(&sessions, |s| s.login(principal)).await;
        }
        let fresh = Client::with_token(&slow.respond().await.token().unwrap());
        assert_ne!(fresh.handle(), client.handle());
        let request = fresh.request(&sessions).await;
        assert_eq!(request.keys(), ["added", "since"]);
        assert_eq!(request.get("added").unwrap(), Some(1_u64));
        assert_eq!(request.label(), None);
        assert_eq!(request.principal().unwrap().as_str(), "ada");
        if !gone {
            let other = client.request(&sessions).await;
            assert_eq!(other.principal().unwrap().as_str(), principal);
            assert_eq!(other.keys(), ["n"]);
        }
    }
}

#[tokio::test]
async fn of_two_sign_ins_at_once_each_has_a_session_of_its_own() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "cart", 3).await;
    let (ada, eve) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    ada.login("ada").unwrap();
    eve.login("eve").unwrap();
    eve.set("of eve", &1).unwrap();
    let (ada, eve) = tokio::join!(ada.finish(), eve.finish());
    let ada = Client::with_token(&ada.unwrap().token().unwrap());
    let eve = Client::with_token(&eve.unwrap().token().unwrap());
    assert_ne!(ada.handle(), eve.handle());
    let (of_ada, of_eve) = (ada.request(&sessions).await, eve.request(&sessions).await);
    assert_eq!(of_ada.principal().unwrap().as_str(), "ada");
    assert_eq!(of_ada.keys(), ["cart"]);
    assert_eq!(of_eve.principal().unwrap().as_str(), "eve");
    assert_eq!(of_eve.keys(), ["of eve"]);
    assert!(!client.is_known(&sessions).await);
}

#[tokio::test]
async fn a_request_goes_on_after_its_own_sign_in() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.login("ada").unwrap();
    request.save().await.unwrap();
    request.set("n", &2).unwrap();
    request
        .transact(|values| values.set("m", &3))
        .await
        .unwrap();
    request.rotate().unwrap();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["m", "n"]);
    request
        .transact(|values| values.set("m", &4))
        .await
        .unwrap();
    assert_eq!(client.get(&sessions, "m").await, Some(4));
}

#[tokio::test]
async fn a_slow_logout_of_an_old_secret_still_ends_the_session() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let slow = client.request(&sessions).await;
    client
        .visit(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    slow.logout().unwrap();
    slow.respond().await;
    assert!(!client.is_known(&sessions).await);
}

/// "Sign-in resets both clocks" (G7) and gives the principal to lists.
#[tokio::test]
async fn sign_in_binds_a_principal_of_at_most_255_bytes() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    for bad in ["", &"x".repeat(256), "a\nb", "a\0b"] {
        request.login(bad).unwrap_err();
        request.set_label(bad).unwrap_err();
    }
    assert_eq!(request.respond().await.cookie(), None);
    let longest = "x".repeat(255);
    let client = Client::signed_in(&sessions, &longest).await;
    let found = client.request(&sessions).await.principal().unwrap();
    assert_eq!(found.as_str(), longest);
}

#[tokio::test]
async fn a_sign_in_alone_is_worth_a_record() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    assert!(client.is_known(&sessions).await);
    assert!(client.request(&sessions).await.is_empty());
}
