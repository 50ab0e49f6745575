/** What becomes a GraphQL `errors` answer. `status` is 400 for a request that was never run, else 200. */
export class PhotonRefusal extends Error {
  override name = "PhotonRefusal";
  readonly code: string;
  readonly status: 200 | 400;

  constructor(code: string, message: string, status: 200 | 400 = 200) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function invalidQuery(message: string): PhotonRefusal {
  return new PhotonRefusal("GRAPHQL_VALIDATION_FAILED", message, 400);
}
