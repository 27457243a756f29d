import Testing

@testable import Appliance

@Suite("Password hashes")
struct PasswordHasherTests {
    private static let standard = PasswordHasher.Cost.standard

    /// Runs `body` with a hasher whose threads end with it.
    private static func with(_ body: (PasswordHasher) async throws -> Void) async throws {
        let hasher = try PasswordHasher(cost: standard, threads: 1, queue: 8)
        defer { hasher.close() }
        try await body(hasher)
    }

    /// Of `test.c` in the reference implementation (P-H-C/phc-winner-argon2, 20190702).
    private static let vectors = [
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
        ),
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"
        ),
        (
            "password",
            "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"
        ),
        (
            "differentpassword",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"
        ),
        (
            "password",
            "$argon2id$v=19$m=65536,t=2,p=1$ZGlmZnNhbHQ$vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw"
        ),
    ]

    @Test(
        "the reference's known answers verify, and one character more does not",
        arguments: vectors)
    func knownAnswers(_ password: String, _ phc: String) async throws {
        try await Self.with { hasher async throws in
            #expect(try await hasher.verify(Secret(password), against: phc))
            #expect(try await !hasher.verify(Secret(password + "x"), against: phc))
        }
    }

    @Test("the standard cost is OWASP's least, and a hash says so and holds")
    func standardCost() async throws {
        #expect(Self.standard == PasswordHasher.Cost(memoryKiB: 19_456, iterations: 2))
        try await Self.with { hasher async throws in
            let password = Secret("correct horse battery staple")
            let (first, second) = (
                try await hasher.hash(password), try await hasher.hash(password)
            )
            #expect(first.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
            #expect(first != second)
            #expect(try await hasher.verify(password, against: first))
            #expect(!hasher.isOutdated(first))
        }
    }

    @Test("without an account nothing verifies, whatever is presented")
    func decoy() async throws {
        try await Self.with { hasher async throws in
            for password in ["", "A", String(repeating: "A", count: 43)] {
                #expect(try await !hasher.verify(Secret(password), against: nil))
            }
        }
    }
}
