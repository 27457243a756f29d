import Domain
import Testing

@Suite("Text")
struct TextTests {
    @Test("Two spellings of one text have one normal form")
    func nfc() {
        #expect(Array(Text.nfc("e\u{301}").unicodeScalars) == ["\u{E9}"])
        #expect(Array(Text.nfc("\u{212B}").unicodeScalars) == ["\u{C5}"])
        #expect(Text.nfc("plain") == "plain")
    }

    @Test(
        "Characters that deceive the eye or break a line are found",
        arguments: [
            "\n", "\r", "\t", "\u{0}", "\u{7F}", "\u{85}", "\u{200B}", "\u{202E}", "\u{2066}",
            "\u{2028}", "\u{2029}", "\u{FEFF}", "\u{E000}", "\u{AD}", "\u{378}",
        ])
    func unsafe(character: String) {
        #expect(Text.hasUnsafeCharacter("a" + character + "b"))
    }

    @Test("Ordinary writing passes", arguments: ["", "Ann", "Jürgen", "日本語", "עברית", "👍🏽", "a b"])
    func safe(text: String) {
        #expect(!Text.hasUnsafeCharacter(text))
    }
}
