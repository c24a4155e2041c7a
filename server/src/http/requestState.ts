/** What the steps in front of a handler leave for it. */
export interface RequestState {
  Variables: {
    /** Gives the slot back that the request holds. */
    leave: () => void;
    /** The request as it came: its body is used up, but its signal is the connection's. */
    client: Request;
  };
}
