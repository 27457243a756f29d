import Domain
import Support
import Testing

@Suite("Base62 and CRC-32")
struct Base62Tests {
    @Test("CRC-32 answers the check value of its catalogue")
    func knownAnswer() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xCBF4_3926)
        #expect(CRC32.checksum(Array("".utf8)) == 0)
        #expect(
            CRC32.checksum(Array("The quick brown fox jumps over the lazy dog".utf8)) == 0x414F_A339
        )
    }

    @Test(
        "A number is written in six digits",
        arguments: [
            (0, "000000"), (1, "000001"), (61, "00000z"), (62, "000010"), (36, "00000a"),
            (35, "00000Z"), (UInt32.max, "4gfFC3"),
        ] as [(UInt32, String)])
    func sixDigits(value: UInt32, text: String) {
        #expect(String(decoding: Base62.sixDigits(value), as: UTF8.self) == text)
    }

    @Test("Random text uses every digit and nothing else")
    func random() {
        var random = SplitMix64(seed: 62)
        let text = Base62.random(20_000, using: &random)
        #expect(text.utf8.count == 20_000)
        #expect(text.utf8.allSatisfy(Base62.isDigit))
        #expect(Set(text.utf8).count == 62)
    }

    @Test("Only ASCII letters and digits are digits")
    func digits() {
        let digits = (UInt8.min...UInt8.max).filter(Base62.isDigit)
        #expect(digits.count == 62)
        #expect(!Base62.isDigit(UInt8(ascii: "-")))
        #expect(!Base62.isDigit(UInt8(ascii: "_")))
    }
}
