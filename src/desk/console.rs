//! The console page: four files built into the program, served as they are, with a policy that runs nothing else.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::desk::Desk;

const PAGE: &str = include_str!("../../console/index.html");
const SCRIPT: &str = include_str!("../../console/console.js");
const COUNTER: &str = include_str!("../../console/counter.js");
const STYLE: &str = include_str!("../../console/console.css");

/// Scripts, styles and calls of this desk alone; no inline code, no frames, no forms elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The page and what it loads; public, because it holds nothing: the token is asked for.
pub(super) fn pages() -> Router<Arc<Desk>> {
    Router::new()
        .route("/", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/console.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/counter.js", get(async || file("text/javascript; charset=utf-8", COUNTER)))
        .route("/console.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

fn file(media_type: &'static str, text: &'static str) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_shows_goes_in_as_text() {
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!SCRIPT.contains(markup), "{markup}");
        }
        for inline in ["<script>", "<style", "style=", "onclick=", "onsubmit=", "javascript:"] {
            assert!(!PAGE.contains(inline), "the policy would stop {inline}");
        }
    }

    #[test]
    fn every_element_the_script_names_is_on_the_page() {
        for named in SCRIPT.split("at(\"").skip(1) {
            let id = named.split('"').next().unwrap();
            assert!(PAGE.contains(&format!("id=\"{id}\"")), "{id}");
        }
    }
}
