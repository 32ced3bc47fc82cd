//! Conversations: the list, one with its timeline, and what agents wish about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{delete, post};
use serde::de::DeserializeOwned;

use crate::desk::extract::{Asked, Body, Envelope, Ids, id};
use crate::desk::issue::{self, Target};
use crate::desk::routes::Handler;
use crate::desk::wire::{
    ActBody, ActQuery, Asking, CloseBody, ConversationList, ListQuery, MessageBody, NoteBody,
    PriorityBody, ReplyBody, TopicBody, TransferBody,
};
use crate::desk::{Caller, Desk, Error, check};
use crate::domain::command::{AgentWish, DeskWish, Refusal};
use crate::domain::id::{AgentId, ClientMessageId, CommandId, ConversationId, MessageId};
use crate::domain::time::Timestamp;
use crate::project::{ConversationDetail, Cursor, Filter, OutwardItems, Place, outward_items};

/// Conversations in one answer, unless asked otherwise.
const LIMIT: usize = 50;
/// Conversations in one answer.
const LIMIT_MAX: usize = 200;
/// Characters of a topic.
const TOPIC_CHARS_MAX: usize = 100;
/// Characters of a note.
const NOTE_CHARS_MAX: usize = 4_000;

const NOT_FOUND: Error = Error::Refused(Refusal::ConversationNotFound);

type Answer = Result<Response, Error>;

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<ConversationList>, Error> {
    let limit = query.limit.unwrap_or(LIMIT);
    let cursor = query.cursor.as_deref().map(read_cursor).transpose()?;
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Error::InvalidQuery(ListQuery::TAKES));
    }
    let filter = Filter {
        company_id: caller.company().cloned(),
        status: query.status,
        agent_id: query.agent_id,
        inbox_id: query.inbox_id,
    };
    let page = desk.views.conversations(&filter, cursor.as_ref(), limit);
    let next_cursor = page.next.as_ref().map(write_cursor);
    Ok(Json(ConversationList { conversations: page.conversations, next_cursor }))
}

pub(super) async fn one(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Json<ConversationDetail>, Error> {
    let (conversation_id, place) = find(&desk, &caller, &text)?;
    let look = desk.look(&place.company_id);
    desk.views.conversation(&conversation_id, look).map(Json).ok_or(NOT_FOUND)
}

pub(super) async fn reply(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ReplyBody>,
) -> Answer {
    let (text_id, words) = (text, body.text.unwrap_or_default());
    let wish = Wish::new(&desk, &caller, &text_id, body.agent_id)?;
    let sizes = body.attachments.iter().map(|image| image.bytes);
    let declared_bytes = sizes.fold(0, u64::saturating_add);
    let mut image_urls = body.image_urls;
    image_urls.extend(body.attachments.into_iter().map(|image| image.url));
    if let Some(refusal) = check::reply(&words, &image_urls, declared_bytes) {
        return Err(Error::Refused(refusal));
    }
    let command_id = wish.command_id(&envelope, "reply", "")?;
    let client_message_id = match body.client_message_id {
        Some(named) => named,
        None => id(command_id.as_str(), ClientMessageId::parse)?,
    };
    let reply = DeskWish::Reply {
        client_message_id,
        text: words,
        image_urls,
        automatic: false,
        declared_bytes,
    };
    wish.issue(&desk, &envelope, reply, command_id).await
}

/// The items alone, outwardly.
pub(super) async fn items(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
) -> Result<Json<OutwardItems>, Error> {
    let (conversation_id, place) = find(&desk, &caller, &text)?;
    let look = desk.look(&place.company_id);
    let detail = desk.views.conversation(&conversation_id, look).ok_or(NOT_FOUND)?;
    Ok(Json(outward_items(&detail, &desk.views.reads(&conversation_id))))
}

pub(super) fn transfer() -> Handler {
    wishing(|body: TransferBody| {
        let to = body.to_agent_id.as_ref().map_or("", AgentId::as_str);
        let detail = [body.inbox_id.as_str(), " ", to].concat();
        let (inbox_id, to_agent_id) = (body.inbox_id, body.to_agent_id);
        Ok((body.agent_id, DeskWish::Transfer { inbox_id, to_agent_id }, detail))
    })
}

pub(super) fn like() -> Handler {
    wishing(|body: MessageBody| {
        let detail = body.mid.as_str().to_owned();
        Ok((body.agent_id, DeskWish::Like { mid: body.mid }, detail))
    })
}

pub(super) fn unlike() -> Handler {
    undoing(|mid| {
        let unlike = DeskWish::Unlike { mid: id(&mid, MessageId::parse)? };
        Ok((unlike, mid))
    })
}

pub(super) fn close() -> Handler {
    wishing(|body: CloseBody| {
        let detail = if body.force { "force" } else { "" };
        Ok((body.agent_id, DeskWish::Close { force: body.force }, detail.to_owned()))
    })
}

pub(super) fn reopen() -> Handler {
    wishing(|body: ActBody| Ok((body.agent_id, DeskWish::Reopen, String::new())))
}

pub(super) fn no_reply_needed() -> Handler {
    wishing(|body: MessageBody| {
        let detail = body.mid.as_str().to_owned();
        Ok((body.agent_id, DeskWish::NoReplyNeeded { mid: body.mid }, detail))
    })
}

pub(super) fn add_topic() -> Handler {
    wishing(|body: TopicBody| {
        let topic = bounded("topic", &body.topic, TOPIC_CHARS_MAX)?;
        Ok((body.agent_id, DeskWish::AddTopic { topic: topic.clone() }, topic))
    })
}

pub(super) fn remove_topic() -> Handler {
    undoing(|topic| {
        let topic = bounded("topic", &topic, TOPIC_CHARS_MAX)?;
        Ok((DeskWish::RemoveTopic { topic: topic.clone() }, topic))
    })
}

pub(super) fn add_note() -> Handler {
    wishing(|body: NoteBody| {
        let note = DeskWish::AddNote { text: bounded("text", &body.text, NOTE_CHARS_MAX)? };
        Ok((body.agent_id, note, String::new()))
    })
}

pub(super) async fn seen(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<ActBody>,
) -> Answer {
    let Wish { agent_id, conversation_id, place } =
        Wish::new(&desk, &caller, &text, body.agent_id)?;
    // What stands in the view is what could be looked at; with nothing there, nothing is unseen.
    let newest_at = desk.views.newest_inbound_at(&conversation_id);
    let seen_at = newest_at.unwrap_or_else(|| desk.clock.now());
    let see = AgentWish::See { conversation_id, seen_at };
    issue::about_agent(&desk, &envelope, (place.company_id, agent_id), see).await
}

pub(super) async fn priority(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    Ids(text): Ids<String>,
    envelope: Envelope,
    Body(body): Body<PriorityBody>,
) -> Answer {
    let Wish { agent_id, conversation_id, place } =
        Wish::new(&desk, &caller, &text, body.agent_id)?;
    let set = AgentWish::Prioritize { conversation_id, priority_score: body.priority_score };
    issue::about_agent(&desk, &envelope, (place.company_id, agent_id), set).await
}

/// For whom something is wished, what, and what tells it apart from others of its kind under one idempotency key.
type Wished = (Option<AgentId>, DeskWish, String);

/// The handler of what an agent wishes about a conversation, by what its body says.
fn wishing<B>(wished: fn(B) -> Result<Wished, Error>) -> Handler
where
    B: DeserializeOwned + Send + 'static,
{
    post(
        move |State(desk): State<Arc<Desk>>,
              caller: Caller,
              Ids(text): Ids<String>,
              envelope: Envelope,
              Body(body): Body<B>| async move {
            let (named, wish, detail) = wished(body)?;
            Wish::new(&desk, &caller, &text, named)?.ask(&desk, &envelope, wish, &detail).await
        },
    )
}

/// The handler of a wish that takes something away, by what the address says.
fn undoing(wished: fn(String) -> Result<(DeskWish, String), Error>) -> Handler {
    delete(
        move |State(desk): State<Arc<Desk>>,
              caller: Caller,
              Ids((text, what)): Ids<(String, String)>,
              envelope: Envelope,
              Asked(query): Asked<ActQuery>| async move {
            let (wish, detail) = wished(what)?;
            let its = Wish::new(&desk, &caller, &text, query.agent_id)?;
            its.ask(&desk, &envelope, wish, &detail).await
        },
    )
}

/// Who wishes something about which conversation; made only for conversations the caller may see.
struct Wish {
    agent_id: AgentId,
    conversation_id: ConversationId,
    place: Place,
}

impl Wish {
    fn new(
        desk: &Desk,
        caller: &Caller,
        text: &str,
        named: Option<AgentId>,
    ) -> Result<Self, Error> {
        let agent_id = caller.acting_for(named)?;
        let (conversation_id, place) = find(desk, caller, text)?;
        Ok(Self { agent_id, conversation_id, place })
    }

    fn command_id(
        &self,
        envelope: &Envelope,
        wish: &str,
        detail: &str,
    ) -> Result<CommandId, Error> {
        let about = [self.conversation_id.as_str(), " ", detail].concat();
        issue::command_id(envelope, Target { agent_id: &self.agent_id, wish, about: &about })
    }

    /// Issues a wish; `about` tells wishes of one kind apart under one idempotency key.
    async fn ask(self, desk: &Desk, envelope: &Envelope, wish: DeskWish, about: &str) -> Answer {
        let command_id = self.command_id(envelope, wish.name(), about)?;
        self.issue(desk, envelope, wish, command_id).await
    }

    async fn issue(
        self,
        desk: &Desk,
        envelope: &Envelope,
        wish: DeskWish,
        command_id: CommandId,
    ) -> Answer {
        let target = (self.place.thread, self.conversation_id);
        issue::about_conversation(desk, envelope, target, self.agent_id, (wish, command_id)).await
    }
}

/// The conversation, if there is one and the caller may know of it.
fn find(desk: &Desk, caller: &Caller, text: &str) -> Result<(ConversationId, Place), Error> {
    let conversation_id = id(text, ConversationId::parse)?;
    let place = desk.views.place(&conversation_id);
    let seen = place.filter(|place| caller.company().is_none_or(|own| *own == place.company_id));
    seen.map(|place| (conversation_id, place)).ok_or(NOT_FOUND)
}

fn bounded(field: &'static str, text: &str, chars_max: usize) -> Result<String, Error> {
    let text = text.trim();
    let is_bounded = (1..=chars_max).contains(&text.chars().count());
    if is_bounded {
        Ok(text.to_owned())
    } else {
        Err(Error::TextBounds { field, chars_min: 1, chars_max })
    }
}

fn write_cursor(cursor: &Cursor) -> String {
    format!("{}.{}", cursor.last_item_at.as_ms(), cursor.conversation_id)
}

fn read_cursor(text: &str) -> Result<Cursor, Error> {
    let unread = Error::InvalidQuery(ListQuery::TAKES);
    let (at, conversation) = text.split_once('.').ok_or_else(|| unread.clone())?;
    let at_ms = at.parse().map_err(|_odd| unread.clone())?;
    let conversation_id = ConversationId::parse(conversation).map_err(|_odd| unread)?;
    Ok(Cursor { last_item_at: Timestamp::from_ms(at_ms), conversation_id })
}
