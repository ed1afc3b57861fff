//! The same by TLS: what is about HTTP/1.1 alone does not change with what carries it.

use crate::stage::by_tls;

/// Tests whose clients come by TLS.
macro_rules! again {
    ($($module:ident: $($test:ident)*;)*) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                super::by_tls(crate::$module::$test);
            })*
        })*
    };
}

again! {
    events:
        each_event_arrives_before_the_next_is_sent
        http_1_0_gets_each_event_too
        a_body_with_a_length_arrives_as_it_is_written
        a_server_hears_that_its_listener_has_left
        a_silent_server_hears_that_its_client_was_cut_off
        an_event_stream_that_breaks_off_is_not_at_its_end
    ;
    exchanges:
        a_client_that_asks_whether_to_go_on_is_told_by_the_server
        a_client_that_does_not_wait_need_not
        a_client_that_is_told_not_to_go_on_starts_again
        http_1_0_knows_no_expectation_and_no_interim_answers
        answers_before_the_answer_go_on_in_their_order
        an_answer_before_the_answer_is_not_held_back
        what_has_no_body_has_none_and_the_connections_go_on
        trailers_go_both_ways_except_what_frames_or_authenticates
        an_early_answer_arrives_while_the_client_still_sends
        an_early_answer_survives_a_server_that_has_closed
        both_may_speak_at_the_same_time
        a_server_of_events_hears_that_nobody_listens_any_more
        a_client_that_has_said_its_last_word_gets_its_whole_answer
        http_1_0_ends_its_connection_unless_it_asks_to_keep_it
        http_1_0_is_not_sent_chunks
        close_is_close_on_each_side_for_itself
    ;
    fields:
        what_is_about_one_hop_does_not_go_up
        all_other_fields_go_up_as_they_came_and_in_their_order
        what_is_about_one_hop_does_not_come_back
        all_other_fields_come_back_as_they_are_and_none_is_added
        a_request_says_that_it_was_here
        a_request_that_has_been_here_too_often_goes_no_further
    ;
    misbehaviour:
        an_answer_whose_end_is_told_in_two_ways_is_none
        a_head_that_is_no_head_is_told_as_such
        a_head_that_breaks_off_or_means_something_else_is_told_as_such
        what_breaks_off_never_looks_whole
        chunks_that_are_none_end_the_answer_at_once
        a_chunk_that_is_none_behind_a_good_one_ends_the_answer
        what_breaks_off_is_cut_off_for_http_1_0_too
        what_follows_an_answer_is_for_nobody
        a_connection_whose_answer_announces_what_cannot_be_is_not_used_again
        an_answer_without_a_request_is_for_nobody
        an_answer_before_its_request_shifts_nothing
        what_may_be_asked_twice_is_asked_twice_when_an_idle_connection_has_ended
        what_may_not_be_asked_twice_never_is
        a_request_is_asked_again_once_and_not_for_ever
        a_connection_that_the_server_has_closed_is_not_used
        servers_of_http_1_0_are_understood
    ;
    records:
        what_is_broken_off_is_told_of_as_far_as_it_came
        an_answer_of_the_proxys_own_is_counted_too
    ;
    sockets:
        a_handshake_goes_through_as_it_is
        an_answer_to_another_key_is_for_the_client_to_refuse
        bytes_go_both_ways_untouched
        what_comes_with_a_handshake_is_not_lost
        a_frame_arrives_before_the_next_is_sent
        each_side_may_end_before_the_other
        a_side_that_is_gone_takes_the_other_along
        a_refused_handshake_stays_http
        what_is_no_handshake_is_not_forwarded_as_one
        of_several_protocols_only_this_one_goes_on
        a_change_to_what_nobody_asked_for_is_a_bad_answer
        a_connection_that_has_served_requests_serves_a_socket_too
        a_request_in_a_socket_is_bytes
    ;
}
