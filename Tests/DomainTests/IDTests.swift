import Domain
import Support
import Testing

@Suite("ID")
struct IDTests {
    private enum Thing {}

    @Test("A new id is a UUID of version 7 and of the RFC's variant, with its time in front")
    func bits() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<1000 {
            let now = Timestamp(milliseconds: random.int(0...(1 << 48 - 1)))
            let id = ID<Thing>(at: now, using: &random)
            #expect(id.high >> 16 == UInt64(now.milliseconds))
            #expect(id.high >> 12 & 0xF == 7)
            #expect(id.low >> 62 == 2)
        }
    }

    @Test("The RFC's own example reads and writes as it stands there")
    func example() throws {
        let text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
        let id = try #require(ID<Thing>(text))
        #expect(id.high == 0x017F_22E2_79B0_7CC3)
        #expect(id.low == 0x98C4_DC0C_0C07_398F)
        #expect(id.description == text)
        #expect(id.high >> 16 == 1_645_557_742_000)
    }

    @Test("Ids sort by the time they were made, as values and as text")
    func order() {
        var random = SplitMix64(seed: 11)
        var last = ID<Thing>(at: .epoch, using: &random)
        for millisecond in Int64(1)...2000 {
            let next = ID<Thing>(at: Timestamp(milliseconds: millisecond * 37), using: &random)
            #expect(last < next)
            #expect(last.description < next.description)
            last = next
        }
    }

    @Test("Any id comes back from its text")
    func roundTrip() {
        var random = SplitMix64(seed: 13)
        for _ in 0..<2000 {
            let id = ID<Thing>(high: random.next(), low: random.next())
            #expect(ID<Thing>(id.description) == id)
            #expect(id.description.utf8.count == 36)
        }
    }

    @Test(
        "Only the canonical text in lower case is an id",
        arguments: [
            "", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F", "017f22e279b07cc398c4dc0c0c07398f",
            "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}", "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "017f22e27-9b0-7cc3-98c4-dc0c0c07398f", " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398é",
        ])
    func bad(text: String) {
        #expect(ID<Thing>(text) == nil)
    }

    @Test("Ids of one moment differ")
    func unique() {
        var random = SplitMix64(seed: 17)
        let ids = Set((0..<10_000).map { _ in ID<Thing>(at: .epoch, using: &random) })
        #expect(ids.count == 10_000)
    }
}
