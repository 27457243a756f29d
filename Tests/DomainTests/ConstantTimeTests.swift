import Domain
import Testing

@Suite("ConstantTime")
struct ConstantTimeTests {
    @Test("Secrets are equal only when every byte is")
    func equality() {
        #expect(ConstantTime.areEqual([], []))
        #expect(ConstantTime.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2]))
        let secret = [UInt8](repeating: 7, count: 32)
        for place in secret.indices {
            for bit in 0..<8 {
                var other = secret
                other[place] ^= 1 << UInt8(bit)
                #expect(!ConstantTime.areEqual(secret, other))
            }
        }
    }
}
