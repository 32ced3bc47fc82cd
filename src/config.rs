//! Settings of the program: defaults < file < environment (`DMSTREAM_…`) < flags. Unknown names are errors; secrets never print.
//!
//! The environment is read here and nowhere else. Not here: what administrators choose at run time (`domain::settings`),
//! though a file may give its first values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Format, Serialized, Toml};
use figment::value::Value;
use serde::{Deserialize, Deserializer};

use crate::broker::kafka::GroupProtocol;
use crate::domain::id::{AccountId, AgentId, CompanyId};
use crate::domain::settings::{AccountSettings, CompanySettings, OutOfRange};
use crate::secret::Secret;
use crate::telemetry::LogFormat;

/// Prefix of our environment variables.
const ENV_PREFIX: &str = "DMSTREAM_";

/// Kafka's own bounds: below a broker's least no member joins, and a member that may be silent for longer than between
/// two polls is refused.
const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=300_000;
/// Where nobody says another.
const DEFAULT_SESSION_TIMEOUT_MS: u64 = 45_000;
/// Less is a kill.
const STOP_WITHIN_MS: RangeInclusive<u64> = 1_000..=600_000;
/// A broker's cap is 15 minutes.
const TRANSACTION_TIMEOUT_MS: RangeInclusive<u64> = 1_000..=900_000;

/// Everything the program is told at start.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of all HTTP: webhooks, desk API, metrics. `DMSTREAM_LISTEN`.
    pub listen: SocketAddr,
    /// Where state lives. `DMSTREAM_DATA_DIR`.
    pub data_dir: PathBuf,
    /// Kafka's bootstrap servers; unset: the embedded broker. `DMSTREAM_KAFKA_BOOTSTRAP`.
    pub kafka_bootstrap: Option<String>,
    /// librdkafka properties passed through (security, timeouts); those that exactly-once needs are locked.
    /// None of them is printed: passwords are among them.
    pub kafka_properties: BTreeMap<String, Secret>,
    /// Overrides the replication of `topics.yaml`, for small clusters. `DMSTREAM_KAFKA_REPLICATION`.
    pub kafka_replication: Option<u16>,
    /// Overrides the partition count of `topics.yaml` for topics that do not exist yet. `DMSTREAM_PARTITIONS`.
    pub partitions: Option<u32>,
    /// How groups share their lanes out: `classic`, or `consumer` (KIP-848, brokers from 4.0 on).
    /// `DMSTREAM_KAFKA_GROUP_PROTOCOL`.
    pub kafka_group_protocol: GroupProtocol,
    /// How long a silent member keeps its lanes: what a dead process costs its peers. Under `consumer` the brokers say that.
    /// `DMSTREAM_KAFKA_SESSION_TIMEOUT_MS`.
    pub kafka_session_timeout_ms: u64,
    /// How long a dead process's transaction may hold readers back. `DMSTREAM_KAFKA_TRANSACTION_TIMEOUT_MS`.
    pub kafka_transaction_timeout_ms: u64,
    /// In front of every topic name. `DMSTREAM_TOPIC_PREFIX`.
    pub topic_prefix: String,
    /// Which instance of the program this is: the stable part of its member names. `DMSTREAM_INSTANCE`.
    pub instance: String,
    /// Which roles run here; empty: all. `DMSTREAM_ROLES`, comma-separated.
    #[serde(deserialize_with = "list")]
    pub roles: Vec<Role>,
    /// Worker threads a stage. `DMSTREAM_WORKERS`.
    pub workers: u32,
    /// Worker threads of the conversation stage alone, which has most of the work: up to the cores there are. None: as many as
    /// `workers`. `DMSTREAM_CONVERSATION_WORKERS`.
    pub conversation_workers: Option<u32>,
    /// How long a stop in order may take; then the process ends itself. `DMSTREAM_STOP_WITHIN_MS`.
    pub stop_within_ms: u64,
    /// Secrets that may sign webhooks; several while one is rotated. `DMSTREAM_APP_SECRETS`, comma-separated.
    #[serde(deserialize_with = "list")]
    pub app_secrets: Vec<Secret>,
    /// What Meta must say in the handshake. `DMSTREAM_VERIFY_TOKEN`.
    pub verify_token: Option<Secret>,
    /// Token of the desk API's administrator. `DMSTREAM_ADMIN_TOKEN`.
    pub admin_token: Option<Secret>,
    /// Base address of the Graph API, with version. `DMSTREAM_GRAPH_URL`.
    pub graph_url: String,
    /// Log filter. `DMSTREAM_LOG`.
    pub log: String,
    /// How a log line looks: `text` or `json`. `DMSTREAM_LOG_FORMAT`.
    pub log_format: LogFormat,
    /// Our accounts; empty: every account, with the defaults.
    pub accounts: BTreeMap<AccountId, Account>,
    /// What companies choose at first.
    pub companies: BTreeMap<CompanyId, CompanySettings>,
    /// Tokens of agents for the desk API.
    pub agents: BTreeMap<AgentId, Agent>,
}

/// One of our accounts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Token for the Graph API.
    pub token: Secret,
    /// What is chosen for it at first.
    #[serde(default)]
    pub settings: AccountSettings,
}

/// An agent who uses the desk API with a token of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// The token.
    pub token: Secret,
    /// Whose agent; absent: of the company that owns accounts nobody gave to another.
    #[serde(default)]
    pub company_id: Option<CompanyId>,
}

/// A part of the program that can run on a machine of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Webhooks in.
    Ingress,
    /// Wire format to our words.
    Normalize,
    /// One thread's rules.
    Conversation,
    /// One company's agents and queues.
    Route,
    /// One account's outbound.
    Send,
    /// Who is writing.
    Profile,
    /// Desk API and the views behind it.
    Desk,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 7] = [
        Self::Ingress,
        Self::Normalize,
        Self::Conversation,
        Self::Route,
        Self::Send,
        Self::Profile,
        Self::Desk,
    ];
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data_dir: PathBuf::from("data"),
            kafka_bootstrap: None,
            kafka_properties: BTreeMap::new(),
            kafka_replication: None,
            partitions: None,
            kafka_group_protocol: GroupProtocol::Classic,
            kafka_session_timeout_ms: DEFAULT_SESSION_TIMEOUT_MS,
            kafka_transaction_timeout_ms: 15_000,
            topic_prefix: "dm.".to_owned(),
            instance: "0".to_owned(),
            roles: Vec::new(),
            workers: 1,
            conversation_workers: None,
            stop_within_ms: 40_000,
            app_secrets: Vec::new(),
            verify_token: None,
            admin_token: None,
            graph_url: "https://graph.instagram.com/v25.0".to_owned(),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            accounts: BTreeMap::new(),
            companies: BTreeMap::new(),
            agents: BTreeMap::new(),
        }
    }
}

/// Why the program cannot start as it is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not exist.
    #[error("there is no configuration file {0}; give its path with --config")]
    NoFile(PathBuf),
    /// A value or name is wrong; the text says where it came from.
    #[error("configuration: {0}")]
    Invalid(Box<figment::Error>),
    /// A timeout is outside its range.
    #[error("configuration: {name} is {value}; it takes {} to {}", range.start(), range.end())]
    Timeout {
        /// Which.
        name: &'static str,
        /// What was given.
        value: u64,
        /// What it takes.
        range: RangeInclusive<u64>,
    },
    /// Under the consumer protocol a session timeout is the brokers' to say.
    #[error(
        "configuration: kafka_session_timeout_ms has no meaning with kafka_group_protocol = \"consumer\"; set \
         group.consumer.session.timeout.ms on the brokers"
    )]
    BrokersSay,
    /// A setting of a company or account is outside its range.
    #[error("configuration: {place}: {why}")]
    OutOfRange {
        /// Whose.
        place: String,
        /// Which, and what it takes.
        why: OutOfRange,
    },
    /// Something is missing that the roles need.
    #[error("{0}")]
    Missing(&'static str),
}

impl Config {
    /// Reads defaults, `file` and `environment`, in this order.
    ///
    /// # Errors
    ///
    /// [`Error`], naming the value and where it came from.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut figment = Figment::new();
        if let Some(path) = file {
            if !path.exists() {
                return Err(Error::NoFile(path.to_owned()));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        for (name, value) in environment {
            let Some(name) = name.strip_prefix(ENV_PREFIX) else { continue };
            // Names for the tests and for the launcher are not the program's.
            if name.starts_with("TEST_") || value.is_empty() {
                continue;
            }
            figment = figment.merge(variable(&name.to_ascii_lowercase(), value));
        }
        let config: Self = figment.extract().map_err(|error| Error::Invalid(Box::new(error)))?;
        config.check_timeouts()?;
        config.check_settings()?;
        Ok(config)
    }

    fn check_timeouts(&self) -> Result<(), Error> {
        let (session, transaction) =
            (self.kafka_session_timeout_ms, self.kafka_transaction_timeout_ms);
        for (name, value, range) in [
            ("kafka_session_timeout_ms", session, SESSION_TIMEOUT_MS),
            ("kafka_transaction_timeout_ms", transaction, TRANSACTION_TIMEOUT_MS),
            ("stop_within_ms", self.stop_within_ms, STOP_WITHIN_MS),
        ] {
            if !range.contains(&value) {
                return Err(Error::Timeout { name, value, range });
            }
        }
        let said = session != DEFAULT_SESSION_TIMEOUT_MS;
        if said && self.kafka_group_protocol == GroupProtocol::Consumer {
            return Err(Error::BrokersSay);
        }
        Ok(())
    }

    /// What companies and accounts choose at first has the ranges of what they choose later.
    fn check_settings(&self) -> Result<(), Error> {
        for (id, company) in &self.companies {
            let refused = |why| Error::OutOfRange { place: format!("companies.{id}"), why };
            company.check().map_err(refused)?;
        }
        for (id, account) in &self.accounts {
            let refused = |why| Error::OutOfRange { place: format!("accounts.{id}.settings"), why };
            account.settings.check().map_err(refused)?;
        }
        Ok(())
    }

    /// Reads the environment of this process on top of `file`.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn from_process(file: Option<&Path>) -> Result<Self, Error> {
        Self::read(
            file,
            std::env::vars_os()
                .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// The roles to run.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        if self.roles.is_empty() { Role::ALL.to_vec() } else { self.roles.clone() }
    }

    /// Says what is missing for the roles to run: nothing starts half secured.
    ///
    /// # Errors
    ///
    /// [`Error::Missing`], saying what to set.
    pub fn require_complete(&self) -> Result<(), Error> {
        let runs = |role| self.roles().contains(&role);
        let blank = |secret: &Option<Secret>| secret.as_ref().is_none_or(Secret::is_blank);
        if runs(Role::Ingress) {
            if self.app_secrets.is_empty() || self.app_secrets.iter().any(Secret::is_blank) {
                return Err(Error::Missing(
                    "no app secret: set DMSTREAM_APP_SECRETS to the secret(s) of your Meta app, \
                     comma-separated; without one no webhook could be trusted",
                ));
            }
            if blank(&self.verify_token) {
                return Err(Error::Missing(
                    "no verify token: set DMSTREAM_VERIFY_TOKEN to the word you entered beside the \
                     callback address in the Meta app dashboard",
                ));
            }
        }
        if runs(Role::Desk) && blank(&self.admin_token) {
            return Err(Error::Missing(
                "no admin token: set DMSTREAM_ADMIN_TOKEN to a long random word; the desk API answers \
                 nobody without a token",
            ));
        }
        Ok(())
    }
}

/// One environment variable as a value: numbers where the setting is one, otherwise the text as it stands, so that a
/// secret of digits stays a text.
fn variable(name: &str, value: String) -> Serialized<Value> {
    let value = match name {
        "workers"
        | "conversation_workers"
        | "partitions"
        | "kafka_replication"
        | "stop_within_ms"
        | "kafka_session_timeout_ms"
        | "kafka_transaction_timeout_ms" => {
            value.parse().map_or_else(|_| Value::from(value), |number: u64| Value::from(number))
        }
        _ => Value::from(value),
    };
    Serialized::global(name, value)
}

/// A list, or a comma-separated text as the environment gives it.
fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    use serde::de::{Error as _, IntoDeserializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrText<T> {
        List(Vec<T>),
        Text(String),
    }
    match ListOrText::<T>::deserialize(deserializer)? {
        ListOrText::List(items) => Ok(items),
        ListOrText::Text(text) => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words
                .map(|word| {
                    let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
                        word.into_deserializer();
                    T::deserialize(word).map_err(D::Error::custom)
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dmstream.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\ndata_dir = \"/from-file\"\n").unwrap();
        let config = read(Some(&file), &[("DMSTREAM_LISTEN", "127.0.0.1:2")]).unwrap();
        assert_eq!(config.listen, SocketAddr::from(([127, 0, 0, 1], 2)));
        assert_eq!(config.data_dir, PathBuf::from("/from-file"));
        assert_eq!(config.workers, 1);
    }

    #[test]
    fn lists_come_comma_separated_and_secrets_of_digits_stay_texts() {
        let config = read(
            None,
            &[
                ("DMSTREAM_APP_SECRETS", "12345, other"),
                ("DMSTREAM_ROLES", "ingress,desk"),
                ("DMSTREAM_WORKERS", "2"),
                ("DMSTREAM_CONVERSATION_WORKERS", "4"),
            ],
        );
        let config = config.unwrap();
        let secrets: Vec<&str> = config.app_secrets.iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["12345", "other"]);
        assert_eq!(config.roles(), [Role::Ingress, Role::Desk]);
        assert_eq!((config.workers, config.conversation_workers), (2, Some(4)));
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let error = read(None, &[("DMSTREAM_LISTN", "x")]).unwrap_err().to_string();
        assert!(error.contains("listn"), "{error}");
    }

    #[test]
    fn a_timeout_out_of_range_is_refused_with_its_range() {
        let stop = read(None, &[("DMSTREAM_STOP_WITHIN_MS", "999")]).unwrap_err();
        assert!(
            stop.to_string().contains("stop_within_ms is 999; it takes 1000 to 600000"),
            "{stop}"
        );
        let read = |ms| read(None, &[("DMSTREAM_KAFKA_SESSION_TIMEOUT_MS", ms)]);
        assert_eq!(read("6000").unwrap().kafka_session_timeout_ms, 6_000);
        for ms in ["0", "999", "300001"] {
            let refused = read(ms).unwrap_err().to_string();
            assert!(refused.contains("kafka_session_timeout_ms is"), "{refused}");
            assert!(refused.contains("1000 to 300000"), "{refused}");
        }
    }

    #[test]
    fn the_group_protocol_is_one_of_two_and_leaves_the_session_timeout_to_the_brokers() {
        let protocol = ("DMSTREAM_KAFKA_GROUP_PROTOCOL", "consumer");
        let config = read(None, &[protocol]).unwrap();
        assert_eq!(config.kafka_group_protocol, GroupProtocol::Consumer);
        assert_eq!(read(None, &[]).unwrap().kafka_group_protocol, GroupProtocol::Classic);
        let timeout = ("DMSTREAM_KAFKA_SESSION_TIMEOUT_MS", "6000");
        let refused = read(None, &[protocol, timeout]).unwrap_err().to_string();
        assert!(refused.contains("group.consumer.session.timeout.ms"), "{refused}");
        let unknown = read(None, &[("DMSTREAM_KAFKA_GROUP_PROTOCOL", "eager")]).unwrap_err();
        assert!(unknown.to_string().contains("eager"), "{unknown}");
    }

    #[test]
    fn a_first_setting_outside_its_range_is_an_error_that_names_it() {
        check("[companies.acme]\nstandard_capacity = 9\n", "companies.acme: `maximum_capacity`");
        check(
            "[accounts.1784]\ntoken = \"t\"\n[accounts.1784.settings]\nsend_rate = 300\n",
            "accounts.1784.settings: `send_rate`",
        );

        #[track_caller]
        fn check(text: &str, says: &str) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("dmstream.toml");
            std::fs::write(&file, text).unwrap();
            let error = read(Some(&file), &[]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn nothing_starts_half_secured() {
        // what is set, what the refusal must say to set
        check(&[], Some("DMSTREAM_APP_SECRETS"));
        check(&[("DMSTREAM_APP_SECRETS", "s")], Some("DMSTREAM_VERIFY_TOKEN"));
        let two = [("DMSTREAM_APP_SECRETS", "s"), ("DMSTREAM_VERIFY_TOKEN", " ")];
        check(&two, Some("DMSTREAM_VERIFY_TOKEN"));
        let two = [("DMSTREAM_APP_SECRETS", "s"), ("DMSTREAM_VERIFY_TOKEN", "v")];
        check(&two, Some("DMSTREAM_ADMIN_TOKEN"));
        let all = [two[0], two[1], ("DMSTREAM_ADMIN_TOKEN", "a")];
        check(&all, None);
        check(&[("DMSTREAM_ROLES", "normalize")], None);

        #[track_caller]
        fn check(set: &[(&str, &str)], says: Option<&str>) {
            let refused = read(None, set).unwrap().require_complete().err();
            let refused = refused.map(|error| error.to_string());
            assert_eq!(refused.is_some(), says.is_some(), "{refused:?}");
            assert!(refused.unwrap_or_default().contains(says.unwrap_or_default()));
        }
    }

    #[test]
    fn no_secret_shows_when_the_configuration_is_printed() {
        let config =
            read(None, &[("DMSTREAM_APP_SECRETS", "hunter2"), ("DMSTREAM_ADMIN_TOKEN", "hunter2")]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    fn read(file: Option<&Path>, set: &[(&str, &str)]) -> Result<Config, Error> {
        Config::read(
            file,
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }
}
