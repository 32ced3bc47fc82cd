//! Invented names and sentences for the people and robots of the simulation. Pure.
//!
//! Every list holds what breaks naive programs: umlauts, emoji beyond the basic plane, slashes, quotes, links.

/// First names of people.
pub(super) const FIRST_NAMES: [&str; 16] = [
    "Mia", "Jörg", "Zoë", "Kenji", "Aylin", "Tomás", "Ingrid", "Samuel", "Priya", "Łukasz", "Noor",
    "Émile", "Freja", "Dmitri", "Chloé", "Amara",
];

/// Last names of people; few enough that two people share a full name now and then.
pub(super) const LAST_NAMES: [&str; 12] = [
    "Weber", "Müller", "Okafor", "Tanaka", "Yılmaz", "García", "Larsen", "Novák", "Iyer", "Dubois",
    "Åberg", "Silva",
];

/// What people write of themselves.
pub(super) const OPENERS: [&str; 16] = [
    "Hi! Is the blue jacket back in size M?",
    "Hallo, meine Bestellung ist noch nicht da 😕",
    "Können Sie die Lieferadresse noch ändern? Grüße aus Köln",
    "my parcel says \"delivered\" but I have nothing :(",
    "Love the new collection 😍🔥",
    "Do you ship to Türkiye / Norway?",
    "Wie lange dauert eine Rücksendung?",
    "the zip broke after 2 days…",
    "¿Tenéis tienda en Málaga?",
    "Is this you? https://shop.example/sale?x=1&y=2",
    "I was charged twice <please check>",
    "100% cotton? or a mix?",
    "👋",
    "Je voudrais échanger ma commande, c'est possible ?",
    "Any discount code for students? 🙏🏽",
    "こんにちは、日本にも発送できますか？",
];

/// What people answer to a reply.
pub(super) const ANSWERS: [&str; 10] = [
    "Thank you! 🙌",
    "Super, danke schön!",
    "ok, and when will that be?",
    "That does not help me, sorry",
    "Perfekt 👍🏼",
    "order number is 4471-Ä",
    "great, merci beaucoup",
    "hm, I'll try that",
    "Wow so quick 😮",
    "Noch eine Frage: gibt es das auch in Grün?",
];

/// What people turn a message into when they edit it.
pub(super) const EDITS: [&str; 4] = [
    "sorry, I meant size L",
    "Korrektur: Größe 42, nicht 24",
    "(never mind the typo 😅)",
    "edited: the order is from March",
];

/// What somebody of the business writes in the Instagram app.
pub(super) const NATIVE: [&str; 5] = [
    "Hey, we just posted the answer in our story!",
    "Hab's dir gerade per Post rausgeschickt 📦",
    "Thanks for the mention ❤️",
    "One of us will be with you shortly",
    "Schau mal hier: https://shop.example/neu",
];

/// What robot agents reply; a reference is put behind it.
pub(super) const REPLIES: [&str; 8] = [
    "Hello! I am looking into it right now.",
    "Grüß Gott, das klären wir gleich für Sie 😊",
    "Your parcel is on its way: https://track.example/p?id=77",
    "Wir haben die Größe wieder da, soll ich sie zurücklegen?",
    "I have refunded the second charge 💶",
    "So sorry about the zip! A new one is coming to you.",
    "Ja, wir liefern auch dorthin ✈️",
    "Thank you for your kind words ❤️",
];

/// Buttons people tap: title and payload.
pub(super) const BUTTONS: [(&str, &str); 3] = [
    ("Talk to an agent", "CARE_HELP"),
    ("Öffnungszeiten", "{\"menu\":\"hours\"}"),
    ("Where is my order?", "ORDER|STATUS"),
];

/// Reactions: the platform's word and the emoji picked.
pub(super) const REACTIONS: [(&str, &str); 5] =
    [("love", "❤️"), ("laugh", "😂"), ("wow", "😮"), ("like", "👍"), ("other", "🫶🏽")];
