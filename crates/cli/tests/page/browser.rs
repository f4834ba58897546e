//! A headless Chromium of its own for each test, and the demo's page in it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::support::{Demo, Visitor, request};

/// How long anything may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
const INSTALL: &str =
    "this test needs Chromium and its driver: apt-get install chromium chromium-driver";
const FLAGS: [&str; 7] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// The size of the window in CSS pixels.
#[derive(Clone, Copy)]
pub(crate) enum Screen {
    /// 1280 × 1000.
    Desktop,
    /// 390 × 844.
    Phone,
}

/// The demo's page, loaded. Demo and browser end with it.
pub(crate) struct Page {
    client: Client,
    session: String,
    driver: Driver,
    demo: Option<Demo>,
}

impl Page {
    pub(crate) async fn open(demo: Demo, screen: Screen) -> Self {
        let driver = Driver::start();
        let client = driver.connect(screen).await;
        let session = client
            .session_id()
            .await
            .expect("the driver answers")
            .expect("the session has a name");
        let page = Self {
            client,
            session,
            driver,
            demo: None,
        };
        page.client
            .goto(&format!("http://{}/", demo.address))
            .await
            .expect("the page loads");
        Self {
            demo: Some(demo),
            ..page
        }
    }

    pub(crate) fn stop_demo(&mut self) {
        self.demo = None;
    }

    /// Clicks, and returns when the page has done what was asked.
    pub(crate) async fn click(&self, css: &str) {
        self.find(css)
            .await
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css} can't be clicked: {error}"));
        self.until("!document.body.dataset.busy").await;
    }

    /// Types `text` in the place of what stands in the field.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.expect("a field can be emptied");
        field
            .send_keys(text)
            .await
            .expect("a field can be typed into");
    }

    /// Sets a value with the form.
    pub(crate) async fn set(&self, key: &str, value: &str) {
        self.fill("[name=key]", key).await;
        self.fill("[name=value]", value).await;
        self.click("#set").await;
    }

    /// The text that is seen.
    pub(crate) async fn text(&self, css: &str) -> String {
        self.find(css)
            .await
            .text()
            .await
            .expect("an element has a text")
    }

    pub(crate) async fn count(&self, css: &str) -> usize {
        self.client
            .find_all(Locator::Css(css))
            .await
            .expect("the driver answers")
            .len()
    }

    /// `visitor`, `anonymous` or `signed-in`.
    pub(crate) async fn state(&self) -> String {
        let state = self.find("#session").await.attr("data-state").await;
        state
            .expect("the driver answers")
            .expect("the page says whose session it is")
    }

    /// The value of the session's cookie, which scripts of the page can't see.
    pub(crate) async fn cookie(&self) -> Option<String> {
        let cookies = self
            .client
            .get_all_cookies()
            .await
            .expect("the driver answers");
        cookies
            .iter()
            .find(|cookie| cookie.name() == "id")
            .map(|cookie| cookie.value().to_owned())
    }

    pub(crate) async fn execute(&self, script: &str) -> Value {
        self.client
            .execute(script, Vec::new())
            .await
            .expect("the script runs")
    }

    /// Waits until `condition`, an expression, is true in the page.
    pub(crate) async fn until(&self, condition: &str) {
        let script = format!("return !!({condition})");
        let holds = async {
            while self.execute(&script).await != json!(true) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, holds)
            .await
            .unwrap_or_else(|_| panic!("never was {condition}"));
    }

    /// What the browser complained about since it was last asked.
    pub(crate) async fn console(&self) -> Vec<String> {
        let path = format!("/session/{}/se/log", self.session);
        let driver = Visitor::of(self.driver.address);
        let answer = driver
            .send(request(Method::POST, &path), r#"{"type":"browser"}"#)
            .await;
        let log: Value = serde_json::from_slice(&answer.body).expect("the driver speaks JSON");
        let entries = log["value"]
            .as_array()
            .unwrap_or_else(|| panic!("the driver has no log: {log}"));
        entries
            .iter()
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    async fn find(&self, css: &str) -> Element {
        let found = self.client.find(Locator::Css(css)).await;
        found.unwrap_or_else(|error| panic!("{css} is not in the page: {error}"))
    }
}

/// `chromedriver` on a free port, and the Chromium that it starts. Both are killed when this is dropped.
struct Driver {
    process: Child,
    address: SocketAddr,
    profile: PathBuf,
}

impl Driver {
    fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver can't be started ({error}); {INSTALL}"));
        let port = port(&mut process);
        let driver = Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(0))),
            profile: profile(),
        };
        assert!(
            port.is_some(),
            "chromedriver does not say its port; {INSTALL}"
        );
        driver
    }

    async fn connect(&self, screen: Screen) -> Client {
        let capabilities = self.capabilities(screen);
        let url = format!("http://{}", self.address);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.as_object().expect("an object").clone());
        let client = timeout(PATIENCE, builder.connect(&url)).await;
        let client = client.unwrap_or_else(|_| panic!("Chromium does not start; {INSTALL}"));
        client.unwrap_or_else(|error| panic!("Chromium does not start ({error}); {INSTALL}"))
    }

    fn capabilities(&self, screen: Screen) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.display());
        let mut flags = FLAGS.to_vec();
        flags.extend([profile.as_str(), "--window-size=1280,1000"]);
        let mut options = json!({ "args": flags });
        if let Screen::Phone = screen {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 1 } });
        }
        json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        kill_all_of(&self.profile);
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// `None` if it does not say so in time.
fn port(driver: &mut Child) -> Option<u16> {
    let output = driver.stdout.take().expect("its output is piped");
    let (said, hear) = mpsc::channel();
    thread::spawn(move || {
        // All of it, so that the driver never waits for a reader.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                // Nobody listens after the patience has run out.
                let _ = said.send(port.trim_end_matches('.').parse().ok());
            }
        }
    });
    hear.recv_timeout(PATIENCE).ok().flatten()
}

/// A folder that is not there yet, and that nobody else uses.
fn profile() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!(
        "fasthttpsession-page-{}-{number:03}",
        std::process::id()
    ))
}

/// The driver does not take its Chromium with it when it is killed, so this finds the processes by the profile's name.
fn kill_all_of(profile: &Path) {
    let started = Instant::now();
    loop {
        let processes = processes_of(&profile.display().to_string());
        if processes.is_empty() || started.elapsed() > PATIENCE {
            return;
        }
        // Some end between being listed and being killed.
        let _ = Command::new("kill")
            .arg("-KILL")
            .args(processes)
            .stderr(Stdio::null())
            .status();
        thread::sleep(Duration::from_millis(10));
    }
}

fn processes_of(profile: &str) -> Vec<String> {
    let folders = std::fs::read_dir("/proc").expect("this test runs on Linux");
    let names = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok());
    names
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|id| {
            std::fs::read(format!("/proc/{id}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(profile))
        })
        .collect()
}
