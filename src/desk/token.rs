//! Who may call, and as whom: bearer tokens. Pure.
//!
//! A token never prints itself and is compared in constant time, with every token there is, whichever fits.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::id::{AgentId, CompanyId};
use crate::secret::Secret;

/// Whether `presented` is `ours`; takes the same time wherever they differ. A blank secret is nobody's.
fn is(ours: &Secret, presented: &str) -> bool {
    let ours = ours.expose().trim();
    let (Some(known), Some(tried)) = (tag(ours), tag(presented)) else { return false };
    let is_same = known.verify_slice(&tried.finalize().into_bytes()).is_ok();
    is_same && !ours.is_empty()
}

/// A digest keyed by the token: comparing digests says nothing about where tokens differ.
fn tag(key: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(b"dmstream desk token");
    Some(mac)
}

/// An agent's own token.
#[derive(Debug, Clone)]
pub struct AgentToken {
    /// Whose agent.
    pub company_id: CompanyId,
    /// Who.
    pub agent_id: AgentId,
    /// The token.
    pub secret: Secret,
}

/// Every token the desk takes.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// May act for any agent of any company; absent: nobody may.
    pub admin: Option<Secret>,
    /// May each act for one agent.
    pub agents: Vec<AgentToken>,
}

/// As whom a request comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An administrator, or a program that acts for agents.
    Admin,
    /// One agent.
    Agent {
        /// Whose agent.
        company_id: CompanyId,
        /// Who.
        agent_id: AgentId,
    },
}

impl Tokens {
    /// Whose token this is. Tries all of them, so that the time says nothing about which fits.
    #[must_use]
    pub fn identify(&self, presented: &str) -> Option<Caller> {
        let mut found = None;
        for token in &self.agents {
            if is(&token.secret, presented) {
                found = Some(Caller::Agent {
                    company_id: token.company_id.clone(),
                    agent_id: token.agent_id.clone(),
                });
            }
        }
        let is_admin = self.admin.as_ref().is_some_and(|admin| is(admin, presented));
        if is_admin { Some(Caller::Admin) } else { found }
    }

    /// The company an agent has a token in.
    pub(super) fn company_of(&self, agent: &AgentId) -> Option<&CompanyId> {
        let token = self.agents.iter().find(|token| token.agent_id == *agent);
        token.map(|token| &token.company_id)
    }
}

impl Caller {
    /// The only company this caller sees; `None` for all.
    pub(super) const fn company(&self) -> Option<&CompanyId> {
        match self {
            Self::Admin => None,
            Self::Agent { company_id, .. } => Some(company_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        let agent = |name: &str, secret: &str| AgentToken {
            company_id: CompanyId::parse("default").unwrap(),
            agent_id: AgentId::parse(name).unwrap(),
            secret: Secret::new(secret.to_owned()),
        };
        let agents = vec![agent("ana", "token-of-ana"), agent("ben", "token-of-ben")];
        Tokens { admin: Some(Secret::new("token-of-admin".to_owned())), agents }
    }

    #[test]
    fn a_token_stands_for_its_holder_and_nothing_else_does() {
        check("token-of-admin", Some("admin"));
        check("token-of-ana", Some("ana"));
        check("token-of-ben", Some("ben"));
        for no_token in ["", " ", "token-of-an", "token-of-anas", "TOKEN-OF-ANA"] {
            check(no_token, None);
        }

        #[track_caller]
        fn check(presented: &str, expected: Option<&str>) {
            let caller = tokens().identify(presented);
            let name = caller.map(|caller| match caller {
                Caller::Admin => "admin".to_owned(),
                Caller::Agent { agent_id, .. } => agent_id.as_str().to_owned(),
            });
            assert_eq!(name.as_deref(), expected);
        }
    }

    #[test]
    fn a_token_does_not_print_itself_and_a_blank_one_is_nobodys() {
        assert!(!format!("{:?}", tokens()).contains("token-of"));
        let blank = Tokens { admin: Some(Secret::new("  ".to_owned())), agents: Vec::new() };
        assert_eq!((blank.identify(""), blank.identify("  ")), (None, None));
        assert_eq!(Tokens::default().identify(""), None);
    }
}
