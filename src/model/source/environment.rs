//! What model sources take from the process's environment, as one value, so that tests have their own.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::SourceError;

/// Places, addresses and limits that the sources work with.
#[derive(Debug, Clone)]
pub struct Environment {
    /// finetop's own cache: `FINETOP_CACHE`, else `finetop` in the user's cache folder.
    pub cache: PathBuf,
    /// The hub's cache, shared with other programs: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's cache
    /// folder.
    pub hub_cache: PathBuf,
    /// `HF_ENDPOINT`; `None` is the hub itself.
    pub endpoint: Option<String>,
    /// `HF_TOKEN`, else the token that was stored by logging in.
    pub token: Option<String>,
    /// `HF_HUB_OFFLINE`: only what is in the cache.
    pub offline: bool,
    /// Commands that may be pip; the first that runs is taken.
    pub pip: Vec<Vec<String>>,
    /// The longest that connecting to the hub may take.
    pub connect_limit: Duration,
    /// The longest silence of the hub within an answer.
    pub silence_limit: Duration,
    /// The wait before a cut connection is tried again, doubled each time.
    pub retry_delay: Duration,
}

impl Environment {
    /// Reads the process's environment variables.
    /// # Errors
    /// No folder for a cache: neither `FINETOP_CACHE` nor `XDG_CACHE_HOME` nor a home.
    pub fn from_process() -> Result<Self, SourceError> {
        let user = set("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
            .or_else(|| env::home_dir().map(|home| home.join(".cache")));
        let cache = set("FINETOP_CACHE").map(PathBuf::from).or_else(|| Some(user.as_ref()?.join("finetop")));
        let cache = cache.ok_or_else(|| SourceError::NoModel {
            place: "FINETOP_CACHE".into(),
            problem: "there is no home folder to keep models in; set FINETOP_CACHE to a folder".into(),
        })?;
        let hf_home = set("HF_HOME").map(PathBuf::from).or_else(|| Some(user.as_ref()?.join("huggingface")));
        let hub_cache = set("HF_HUB_CACHE")
            .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
            .map(PathBuf::from)
            .or_else(|| Some(hf_home.as_ref()?.join("hub")))
            .unwrap_or_else(|| cache.join("hub"));
        Ok(Self {
            cache,
            hub_cache,
            endpoint: set("HF_ENDPOINT"),
            token: token(hf_home),
            offline: set("HF_HUB_OFFLINE")
                .is_some_and(|v| matches!(v.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE")),
            pip: [&["python3", "-m", "pip"][..], &["pip3"], &["pip"], &["python", "-m", "pip"]]
                .map(|words| words.iter().map(|w| w.to_string()).collect())
                .to_vec(),
            connect_limit: Duration::from_secs(5),
            silence_limit: Duration::from_secs(30),
            retry_delay: Duration::from_millis(500),
        })
    }
}

fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

/// The token in the order of the hub's own clients.
fn token(hf_home: Option<PathBuf>) -> Option<String> {
    if set("HF_HUB_DISABLE_IMPLICIT_TOKEN").is_some() {
        return None;
    }
    let stored = || {
        let path = set("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(hf_home?.join("token")))?;
        fs::read_to_string(path).ok()
    };
    set("HF_TOKEN").or_else(stored).map(|t| t.trim().to_string()).filter(|t| !t.is_empty())
}
