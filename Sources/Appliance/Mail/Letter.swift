/// What a mail says, before it has a sender and an address: parts that are shown alike as text and
/// as HTML (`Letter+Text`, `Letter+HTML`). The words are in `Letter+English`.
///
/// Parts are plain text. Whoever shows them escapes them; nothing here is markup.
struct Letter: Sendable, Equatable {
    enum Part: Sendable, Equatable {
        case paragraph(String)
        /// What happened, by name: when, where, how much.
        case facts([Fact])
        /// The one thing that the reader is asked to do.
        case action(label: String, url: String)
    }

    struct Fact: Sendable, Equatable {
        let name: String
        let value: String

        init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// A language that letters are written in: one case and one file of words for each.
    enum Language: String, Sendable {
        case english = "en"
    }

    let language: Language
    let subject: String
    let parts: [Part]
    /// Why this mail was sent, and by whom; the last lines.
    let footer: String
}
