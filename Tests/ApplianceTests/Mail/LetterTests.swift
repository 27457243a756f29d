import Domain
import Testing

@testable import Appliance

@Suite("Letters")
struct LetterTests {
    @Test("each letter has a subject, text and HTML, which say the same", arguments: 0..<13)
    func whole(_ index: Int) {
        let letter = MailFixtures.letter(MailFixtures.occasions[index])
        #expect(!letter.subject.isEmpty && letter.subject.utf8.count <= 66)
        let html = letter.html(service: "Acme")
        let words = letter.text.split { $0 == " " || $0 == "\n" }
        for part in letter.parts {
            switch part {
            case .paragraph(let text):
                #expect(html.contains(Letter.escaped(text)))
                #expect(text.split(separator: " ").allSatisfy(words.contains))
            case .action(let label, let url):
                #expect(html.contains("href=\"\(Letter.escaped(url))\""))
                #expect(html.contains(Letter.escaped(label)) && letter.text.contains("\n\(url)\n"))
            case .facts(let facts):
                for fact in facts {
                    #expect(html.contains(Letter.escaped(fact.value)))
                    #expect(letter.text.contains(fact.value))
                }
            }
        }
        #expect(html.contains(Letter.escaped(letter.footer)))
    }

    @Test("links begin with the public URL, and a token stands behind the #", arguments: 0..<13)
    func links(_ index: Int) {
        let occasion = MailFixtures.occasions[index]
        let urls = MailFixtures.letter(occasion).parts.compactMap { part -> String? in
            guard case .action(_, let url) = part else { return nil }
            return url
        }
        #expect(urls.count == 1)
        for url in urls {
            #expect(url.hasPrefix("https://id.example.com/"))
            let token = occasion.token?.text
            #expect(token.map { url.hasSuffix("#token=\($0)") } ?? !url.contains("#"))
        }
    }

    @Test("nothing is loaded from anywhere, and nothing runs", arguments: 0..<13)
    func nothingToLoad(_ index: Int) {
        let html = MailFixtures.letter(MailFixtures.occasions[index]).html(service: "Acme")
        for mark in ["<img", "<script", "<link", "url(", "src=", "@import", "javascript:"] {
            #expect(!html.contains(mark), "\(mark)")
        }
    }

    @Test("what a value holds is text in HTML, whatever it looks like")
    func escaped() {
        let name = "<b>\"A&B's\"</b>"
        let html = MailFixtures.letter(.passwordChanged, service: name).html(service: name)
        #expect(!html.contains("<b>") && !html.contains("\"A&B"))
        #expect(html.contains("&lt;b&gt;&quot;A&amp;B&#39;s&quot;&lt;/b&gt;"))
    }

    @Test("lines of text are short, but for links")
    func short() {
        for occasion in MailFixtures.occasions {
            for line in MailFixtures.letter(occasion).text.split(separator: "\n") {
                #expect(line.count <= 72 || line.hasPrefix("https://"), "\(line)")
            }
        }
    }

    @Test("a new address is told so that its owner knows it and nobody else")
    func masked() {
        let letter = MailFixtures.letter(
            .addressChanged(to: EmailAddress(canonical: "grace.hopper@example.org")))
        #expect(letter.text.contains("g•••@example.org") && !letter.text.contains("hopper"))
    }

    @Test("a quota is told in numbers that can be read")
    func numbers() {
        let near = MailFixtures.letter(.quotaNear(MailFixtures.use))
        #expect(near.subject == "80 % of your api calls for this month used")
        #expect(near.text.contains("8,123,456") && near.text.contains("10,000,000 a month"))
        #expect(near.text.contains("1 Dec 2026, 00:00 UTC"))
    }
}

@Suite("Devices")
struct DeviceTests {
    @Test(
        "a browser is known by a name that its updates leave alone",
        arguments: [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
                    + "Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0", "Edge", "Windows"
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox",
                "Linux"
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
                    + "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1", "Safari",
                "iPhone"
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
                    + "Chrome/143.0.0.0 Mobile Safari/537.36", "Chrome", "Android"
            ),
        ])
    func known(_ agent: String, _ program: String, _ system: String) {
        let device = Device(userAgent: agent)
        #expect(device.program == program && device.system == system)
    }

    @Test("a stranger's words are no name")
    func unknown() {
        let device = Device(userAgent: "You have won! http://evil.example")
        #expect(device == Device(program: nil, system: nil))
        #expect(Device(program: "http://evil.example", system: "x") == device)
    }

    @Test("a place is the device and the network, of IPv6 the 64 bits that stay")
    func place() {
        func place(_ address: String?) -> Device.Place {
            Device.Place(userAgent: "Firefox/1 Linux", address: address)
        }
        #expect(place("2001:db8::1") == place("2001:db8::2"))
        #expect(place("2001:db8::1") != place("2001:db8:0:1::1"))
        #expect(place("192.0.2.1") != place("192.0.2.2"))
        #expect(place(nil) != place("192.0.2.2"))
    }
}
